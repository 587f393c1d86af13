//! All that there is to say about a question, for whoever writes it down.

use std::{collections::HashMap, time::Duration};

use crate::{
    flow::observation::Ticks,
    kernel::{interfaces::Names, text::Symbols},
    probe::{proof::Unproven, ring::Lost, session::Skips},
};

use super::{counters::CounterCheck, tally::CauseTally};

/// An answer.
#[derive(Debug)]
pub struct Answer<'a> {
    /// What was asked.
    pub topic: &'static str,
    /// What is counted, in the singular and in the plural: `packet is …`, `packets are …`.
    pub things: [&'static str; 2],
    /// How long was watched.
    pub elapsed: Duration,
    /// What was met, the most frequent first.
    pub causes: Vec<&'a CauseTally>,
    /// The kernel's counters beside it; none where a filter narrows what we count and not what the kernel does.
    pub held: Vec<CounterCheck>,
    /// Whether a filter narrows it.
    pub filtered: bool,
    /// What could not be seen on this kernel.
    pub unseen: Vec<Unseen>,
    /// Why more may have gone unseen.
    pub unproven: Option<Unproven>,
    /// What was lost.
    pub lost: Lost,
    /// What the kernel left out.
    pub skips: Skips,
    /// Records that made no sense.
    pub malformed: u64,
    /// What namespaces and interfaces are called.
    pub names: &'a Names,
    /// The kernel's functions.
    pub symbols: &'a Symbols,
    /// Jiffies a second.
    pub ticks: Ticks,
    /// The programs behind listeners' netlink ports, by namespace and port.
    pub listeners: &'a HashMap<(u32, u32), String>,
    /// How many flows, tasks and so on are shown of each cause.
    pub most: usize,
}

/// A hook that is not attached.
#[derive(Clone, Debug)]
pub struct Unseen {
    /// The kernel function.
    pub function: &'static str,
    /// What is not shown for it.
    pub shows: &'static str,
    /// Why not.
    pub why: String,
}
