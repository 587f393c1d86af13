//! How things look: each format is a function over shared types; nothing here reads a socket.
