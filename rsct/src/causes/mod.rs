//! Causes of drops, failed inserts, deletions and lost events, each with its meaning and what to do about it.
//!
//! [`programs`] attaches the probes and reads their counts and records, [`tally`] adds them up, [`counters`] compares
//! the sums with the kernel's own counters. Each family of causes has a file of its own.

mod answer;
mod cause;
pub(crate) mod counters;
pub(crate) mod delete;
pub(crate) mod drop;
mod family;
pub(crate) mod fill;
pub(crate) mod full;
pub(crate) mod insert;
pub(crate) mod invalid;
mod key_count;
pub(crate) mod lost;
pub(crate) mod nat;
pub(crate) mod of_packet;
pub(crate) mod programs;
mod state;
pub(crate) mod tally;
pub(crate) mod top;
mod why;
pub(crate) mod window;

pub(crate) use answer::{Answer, Unseen};
pub(crate) use cause::Cause;
pub(crate) use family::Evidence;
pub(crate) use key_count::KeyCount;
pub(crate) use state::ProgramsState;
pub(crate) use why::Why;
