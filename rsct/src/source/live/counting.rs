//! Readings of the counts of causes, next to the kernel's counters.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use rsct_common::record::CauseKey;
use tokio::time::sleep;

use crate::{
    causes::{
        KeyCount, ProgramsState,
        counters::{CountersError, KernelCounters},
        programs::ProgramsError,
    },
    kernel::{clock, netns::Selector, portid},
    observe::Counted,
};

/// Maximum number of readings until the kernel's counters are the same before and after.
const TRIES: u32 = 5;
/// The kernel counts a packet before the eBPF programs do: the time until they have.
const LAG: Duration = Duration::from_millis(1);

/// Both counts, read as close together as possible.
pub(crate) struct Reading {
    time_ns: u64,
    counts: Vec<KeyCount>,
    counters: Result<KernelCounters, CountersError>,
}

impl Reading {
    /// Reads both. `count` reads the records that are there, and then the counts.
    pub(crate) async fn take(
        selector: &Selector,
        mut count: impl FnMut() -> Result<Vec<KeyCount>, ProgramsError>,
    ) -> Result<Self, ProgramsError> {
        let mut counters = KernelCounters::read(selector).await;
        for tries_left in (0..TRIES).rev() {
            sleep(LAG).await;
            let time_ns = clock::monotonic_ns();
            let counts = count()?;
            let again = KernelCounters::read(selector).await;
            let is_same = match (&counters, &again) {
                (Ok(counters), Ok(again)) => counters == again,
                (_, Err(_)) => true,
                (Err(_), Ok(_)) => false,
            };
            // If they change all the time, a packet in progress may be in one count and not in the other.
            if is_same || tries_left == 0 {
                return Ok(Self {
                    time_ns,
                    counts,
                    counters: again,
                });
            }
            counters = again;
        }
        Ok(Self {
            time_ns: clock::monotonic_ns(),
            counts: count()?,
            counters,
        })
    }

    /// The error of the kernel's counters, if there is one.
    pub(crate) fn check(self) -> Result<Self, CountersError> {
        match self.counters {
            Ok(counters) => Ok(Self {
                counters: Ok(counters),
                ..self
            }),
            Err(error) => Err(error),
        }
    }
}

/// The last reading.
#[derive(Default)]
pub(super) struct Counting {
    counts: HashMap<CauseKey, u64>,
    counters: Option<KernelCounters>,
    programs: Option<ProgramsState>,
    /// Listeners that were looked up, by namespace and netlink port.
    listeners: HashSet<(u32, u32)>,
}

impl Counting {
    /// What a reading changes.
    pub(super) fn changes(&mut self, reading: Reading, programs: ProgramsState) -> Counted {
        let mut counted = Counted {
            time_ns: reading.time_ns,
            counts: reading.counts,
            ..Counted::default()
        };
        counted
            .counts
            .retain(|now| self.counts.insert(now.key, now.count.count) != Some(now.count.count));
        if self.programs.as_ref() != Some(&programs) {
            self.programs = Some(programs.clone());
            counted.programs = Some(programs);
        }
        match reading.counters {
            Err(error) => counted.unread = Some(error.to_string()),
            Ok(counters) => {
                counted.listeners = self.new_listeners(&counters);
                if self.counters.as_ref() != Some(&counters) {
                    self.counters = Some(counters.clone());
                    counted.counters = Some(counters);
                }
            }
        }
        counted
    }

    /// Looks up the programs of the sockets that receive events.
    fn new_listeners(&mut self, counters: &KernelCounters) -> Vec<(u32, u32, String)> {
        let new = counters
            .listeners
            .iter()
            .filter(|(netns, listener)| self.listeners.insert((*netns, listener.portid)));
        let named = new.filter_map(|(netns, listener)| {
            let program = portid::owner(listener.portid, listener.inode)?;
            let program = String::from_utf8_lossy(&program).into_owned();
            Some((*netns, listener.portid, program))
        });
        named.collect()
    }
}
