//! Recordings in the formats of other programs.

pub(crate) mod perfetto;
