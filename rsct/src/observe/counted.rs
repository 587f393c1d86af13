//! The counts of causes and the kernel's counters, read together.

use std::collections::HashMap;

use rsct_common::record::{CauseCount, CauseKey};
use serde::{Deserialize, Serialize};

use crate::causes::{KeyCount, ProgramsState, counters::KernelCounters};

/// What changed since the last reading of the counts; the first reading has everything.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// The time of the reading on the monotonic clock.
    pub time_ns: u64,
    /// True if it repeats earlier readings: a file of a recording begins with them.
    #[serde(default)]
    pub repeated: bool,
    /// Keys of causes whose count changed.
    #[serde(default)]
    pub counts: Vec<KeyCount>,
    /// The kernel's counters; none if they are unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<KernelCounters>,
    /// Why the kernel's counters cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Programs that listen to events: the namespace, the netlink port and the name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<(u32, u32, String)>,
    /// The programs of causes; none if their state is unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programs: Option<ProgramsState>,
}

/// All that readings reported so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllCounts {
    /// The time of the last reading.
    pub time_ns: u64,
    /// The count of each key.
    pub counts: HashMap<CauseKey, CauseCount>,
    /// The kernel's counters.
    pub counters: KernelCounters,
    /// Why the kernel's counters cannot be read.
    pub unread: Option<String>,
    /// The names of the listeners, by namespace and netlink port.
    pub listeners: HashMap<(u32, u32), String>,
    /// The state of the programs.
    pub programs: ProgramsState,
}

impl AllCounts {
    /// Adds a reading.
    pub(crate) fn add(&mut self, counted: &Counted) {
        self.time_ns = counted.time_ns;
        let counts = counted.counts.iter();
        self.counts
            .extend(counts.map(|counted| (counted.key, counted.count)));
        if let Some(counters) = &counted.counters {
            self.counters.clone_from(counters);
        }
        self.unread.clone_from(&counted.unread);
        for (netns, portid, name) in &counted.listeners {
            self.listeners.insert((*netns, *portid), name.clone());
        }
        if let Some(programs) = &counted.programs {
            self.programs.clone_from(programs);
        }
    }

    /// The same as one reading that repeats them.
    pub(crate) fn repeated(&self) -> Counted {
        Counted {
            repeated: true,
            ..self.all()
        }
    }

    /// The same as one reading.
    pub(crate) fn all(&self) -> Counted {
        let counts = self.counts.iter();
        let listeners = self.listeners.iter();
        Counted {
            time_ns: self.time_ns,
            repeated: false,
            counts: counts
                .map(|(key, count)| KeyCount {
                    key: *key,
                    count: *count,
                })
                .collect(),
            counters: Some(self.counters.clone()),
            unread: self.unread.clone(),
            listeners: listeners
                .map(|((netns, portid), name)| (*netns, *portid, name.clone()))
                .collect(),
            programs: Some(self.programs.clone()),
        }
    }
}
