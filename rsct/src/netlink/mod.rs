//! ctnetlink: the authority on which entries exist.
