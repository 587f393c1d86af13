//! The answer to a question of `rsct why`, as data for the renderers.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    kernel::{hz::Hz, interfaces::Names, text::Symbols},
    probe::proof::Unproven,
    records::{Lost, Skips},
};

use super::{counters::CounterCheck, tally::CauseTally};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// The topic.
    pub topic: &'static str,
    /// The counted things, in the singular and in the plural: `packet is …`, `packets are …`.
    pub things: [&'static str; 2],
    /// The duration of the watch.
    pub elapsed: Duration,
    /// The causes that occurred, the most frequent first.
    pub causes: Vec<&'a CauseTally>,
    /// Comparisons with the kernel's counters; none with a filter, which limits the programs' counts but not the
    /// kernel's.
    pub held: Vec<CounterCheck>,
    /// True if a filter limits it.
    pub filtered: bool,
    /// True if the counts are numbers of records, not the kernel's.
    pub counts_records: bool,
    /// The hooks that are not attached on this kernel.
    pub unseen: Vec<Unseen>,
    /// Why the programs may have missed more.
    pub unproven: Option<Unproven>,
    /// The lost records.
    pub lost: Lost,
    /// The program runs that the kernel skipped.
    pub skips: Skips,
    /// Records that could not be decoded.
    pub malformed: u64,
    /// The names of namespaces and interfaces.
    pub names: &'a Names,
    /// The kernel's functions.
    pub symbols: &'a Symbols,
    /// Jiffies a second.
    pub ticks: Hz,
    /// The names of the listeners, by namespace and netlink port.
    pub listeners: &'a HashMap<(u32, u32), String>,
    /// The number of flows, tasks and so on to show for each cause.
    pub most: usize,
}

/// A hook that is not attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unseen {
    /// The kernel function.
    pub function: Cow<'static, str>,
    /// The information that is missing.
    pub shows: Cow<'static, str>,
    /// Why it is not attached.
    pub why: String,
}
