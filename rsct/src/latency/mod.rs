//! Latency of conntrack: the counters of the eBPF programs as plain data, independent of aya and of the output format.
//!
//! A measurement is a sequence of [`Measured`] inputs, from the running kernel or from a recording. [`Spans`] makes reports of
//! them.

mod begins;
mod reading;
mod snapshot;
mod spans;
mod stacks;
mod tally;
mod wire;

pub(crate) use begins::{Begins, MeasuredHook, Overhead};
pub(crate) use reading::{By, Counts, Gc, Key, Reading};
pub(crate) use snapshot::{Losses, Measured, Snapshot, Unproven};
pub(crate) use spans::{Spans, Stretch};
pub(crate) use stacks::Stacks;
#[cfg(test)]
pub(crate) use tally::tally_of;
pub(crate) use tally::{ERROR_PERCENT, Tally};
pub(crate) use wire::Changes;

/// The start of a measurement by outcome.
#[cfg(test)]
pub(crate) fn begins_of_tests() -> Begins {
    Begins {
        time_ns: 1_000_000_000,
        by: By::Outcome,
        every_ns: 1_000_000_000,
        netns: Some(7),
        netns_name: Some("server".to_owned()),
        filter: vec![("proto".to_owned(), "udp".to_owned())],
        slower_than_ns: None,
        hooks: vec![MeasuredHook {
            function: "nf_conntrack_in".to_owned(),
            shows: "traversals".to_owned(),
            attached: Some("fentry".to_owned()),
            reasons: Vec::new(),
        }],
        overhead: Ok(Overhead {
            clock_ns: 12.5,
            pair_ns: 90,
            shown_ns: 20,
        }),
        table_buckets: 65_536,
        hz: crate::kernel::hz::Hz::new(250).expect("not 0"),
    }
}
