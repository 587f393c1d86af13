//! Latency of conntrack: the counters of the eBPF programs as plain data, independent of aya and of the output format.

mod reading;
mod stacks;
mod tally;

pub use reading::{By, Counts, Gc, Key, Reading};
pub use stacks::{Stack, Stacks};
#[cfg(test)]
pub(crate) use tally::tally_of;
pub use tally::{ERROR_PERCENT, Largest, Tally};
