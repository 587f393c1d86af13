//! What the GNU C library does, to the letter: the old tools' numbers, words for errors, and names of protocols are its.
//! rsct itself may be built with another one.

pub(crate) mod errno;
pub(crate) mod number;
pub(crate) mod protocols;
