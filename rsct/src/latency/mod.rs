//! How long conntrack takes: what the programs have counted, as plain data. Knows neither aya nor how it is shown.

mod reading;
mod stacks;
mod tally;

pub use reading::{By, Counts, Gc, Key, Reading};
pub use stacks::{Stack, Stacks};
#[cfg(test)]
pub(crate) use tally::tally_of;
pub use tally::{ERROR_PERCENT, Largest, Tally};
