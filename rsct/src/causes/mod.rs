//! Causes of drops, failed inserts, deletions and lost events, each with its meaning and what to do about it.
//!
//! [`programs`] attaches the probes and reads their counts and records, [`tally`] adds them up, [`counters`] compares
//! the sums with the kernel's own counters. Each family of causes has a file of its own.

mod answer;
mod cause;
pub mod counters;
pub mod delete;
pub mod drop;
pub mod fill;
pub mod full;
pub mod insert;
pub mod invalid;
pub mod lost;
pub mod nat;
pub mod programs;
pub mod tally;
pub mod top;
mod why;
pub mod window;

pub use answer::{Answer, Unseen};
pub use cause::{Cause, Evidence};
pub use why::Why;
