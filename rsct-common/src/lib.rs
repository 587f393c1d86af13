//! Types that the eBPF programs and user space share, and the kernel's numbers with their names.
//!
//! Records and map values are `repr(C)` with fixed-width fields and no implicit padding: user space reads what a program
//! wrote by a cast.

#![no_std]

pub mod cast;
pub mod field;
pub mod filter;
pub mod hook;
pub mod latency;
pub mod loss;
pub mod names;
pub mod record;
mod tuple;

pub use tuple::{Tuple, TupleWords};
