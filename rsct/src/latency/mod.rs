//! Latency of conntrack: the counters of the eBPF programs as plain data, independent of aya and of the output format.

mod reading;
mod stacks;
mod tally;

pub(crate) use reading::{By, Counts, Gc, Key, Reading};
pub(crate) use stacks::Stacks;
#[cfg(test)]
pub(crate) use tally::tally_of;
pub(crate) use tally::{ERROR_PERCENT, Tally};
