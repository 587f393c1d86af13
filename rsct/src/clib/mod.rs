//! Exact copies of GNU C library behaviour that the old tools depend on: numbers, error texts, protocol names. rsct
//! itself may be linked with another C library.

pub(crate) mod errno;
pub(crate) mod number;
pub(crate) mod protocols;
