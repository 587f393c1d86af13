//! Types that the eBPF programs and user space share.
//!
//! Everything here is `repr(C)` with fixed-width fields and no implicit padding, so that a record
//! written by a program is read back by a cast.

#![no_std]

pub mod field;
pub mod filter;
pub mod hook;
pub mod latency;
pub mod loss;
pub mod names;
pub mod record;
mod tuple;

pub use tuple::{Tuple, TupleWords};
