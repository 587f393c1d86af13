//! Inputs as records and notes of a recording.

use rsct_common::record::kind;
use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    causes::{KeyCount, counters::KernelCounters},
    flow::{TupleKey, reconcile::DumpedEntry},
    kernel::interfaces::Names,
    observe::{Counted, Covered, Setup},
    recording::Key,
};

/// The kind of [`DumpedRecord`]. The eBPF programs use smaller numbers.
pub(super) const DUMPED: u8 = 64;
/// The kind of [`TimeRecord`].
pub(super) const TIME: u8 = 65;

/// Slots of the delta coding. Records of a flow resemble each other: those of packets by direction and hook.
pub(crate) const KEYS: &[Key] = &[
    Key {
        kind: kind::PACKET,
        slots: 512,
        word: 2,
        // The hook and conntrack's direction.
        mask: 0xff00_ff00,
    },
    Key {
        kind: kind::ENTRY,
        slots: 64,
        word: 2,
        mask: 0xff00,
    },
    Key {
        kind: kind::CAUSE,
        slots: 16,
        word: 2,
        mask: 0xffff00,
    },
];

/// Names of notes.
pub(crate) mod note {
    /// A [`super::Start`]: the first frame of each file.
    pub(crate) const START: &str = "start";
    /// A [`super::DumpBegins`].
    pub(crate) const DUMP_BEGINS: &str = "dump_begins";
    /// A [`super::DumpEnds`].
    pub(crate) const DUMP_ENDS: &str = "dump_ends";
    /// A [`crate::observe::Fact`].
    pub(crate) const FACT: &str = "fact";
    /// A [`crate::latency::Begins`].
    pub(crate) const LATENCY_BEGINS: &str = "latency_begins";
    /// A [`crate::latency::Changes`].
    pub(crate) const LATENCY: &str = "latency";
    /// A [`crate::observe::Notice`].
    pub(crate) const NOTICE: &str = "notice";
    /// A [`super::CountedPart`].
    pub(crate) const COUNTED: &str = "counted";
    /// A [`crate::observe::Ended`].
    pub(crate) const ENDED: &str = "ended";
}

/// The first note of each file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// The version of rsct.
    pub rsct: String,
    /// The host.
    pub host: String,
    /// The kernel's release.
    pub kernel: String,
    /// The machine's architecture.
    pub machine: String,
    /// Identifies the boot: monotonic times of one boot are comparable.
    pub boot_id: String,
    /// The arguments of the recorder.
    pub command: Vec<String>,
    /// The time of 1970 on the monotonic clock, in nanoseconds: a time of day less the same moment on that clock.
    pub realtime_offset_ns: i64,
    /// What the model has to know.
    pub setup: Setup,
    /// Names of namespaces and interfaces.
    pub names: Names,
    /// The part of a recording that was cut begins at this time; readers report nothing before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub from_ns: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A dump begins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct DumpBegins {
    pub(super) now_ns: u64,
}

/// A dump ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DumpEnds {
    pub(super) now_ns: u64,
    pub(super) covered: Option<Covered>,
    pub(super) lost: u64,
}

impl DumpEnds {
    /// The note of the input.
    pub(super) fn of(now_ns: u64, covered: Option<&Covered>, lost: u64) -> Self {
        Self {
            now_ns,
            covered: covered.cloned(),
            lost,
        }
    }
}

/// A part of a reading of counts: a note has a limited size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CountedPart {
    #[serde(flatten)]
    pub(super) counted: Counted,
    /// True if another part follows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) more: bool,
}

/// Keys or namespaces of a part: of at most about 400 bytes each.
const PART: usize = 1000;

impl CountedPart {
    /// The parts of a reading.
    pub(super) fn of(counted: &Counted) -> Vec<Self> {
        let namespaces = counted.counters.as_ref().map_or(&[][..], |all| &all.namespaces);
        let others = counted.counters.as_ref().map_or(0, |all| all.listeners.len());
        let most = counted.counts.len().max(namespaces.len()).max(others);
        let count = most.max(counted.listeners.len()).div_ceil(PART).max(1);
        let part = |index: usize| {
            let first = index == 0;
            Self {
                counted: Counted {
                    time_ns: counted.time_ns,
                    repeated: counted.repeated,
                    counts: part_of::<KeyCount>(&counted.counts, index),
                    counters: counted.counters.as_ref().map(|all| KernelCounters {
                        namespaces: part_of(namespaces, index),
                        listeners: part_of(&all.listeners, index),
                        max_entries: part_of(&all.max_entries, index),
                        entries: part_of(&all.entries, index),
                    }),
                    unread: counted.unread.clone(),
                    listeners: part_of(&counted.listeners, index),
                    programs: counted.programs.clone().filter(|_| first),
                },
                more: index + 1 < count,
            }
        };
        (0..count).map(part).collect()
    }

    /// Adds the next part.
    pub(super) fn append(&mut self, next: Self) {
        self.more = next.more;
        self.counted.counts.extend(next.counted.counts);
        self.counted.listeners.extend(next.counted.listeners);
        if let (Some(all), Some(more)) = (&mut self.counted.counters, next.counted.counters) {
            all.namespaces.extend(more.namespaces);
            all.listeners.extend(more.listeners);
            all.max_entries.extend(more.max_entries);
            all.entries.extend(more.entries);
        }
    }
}

fn part_of<T: Clone>(all: &[T], index: usize) -> Vec<T> {
    all.chunks(PART).nth(index).unwrap_or_default().to_vec()
}

/// An entry of a dump.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct DumpedRecord {
    kind: u8,
    state: u8,
    zone: u16,
    netns: u32,
    status: u32,
    mark: u32,
    now_ns: u64,
    /// [`NO_TIMEOUT`] if the entry has none.
    timeout_seconds: u32,
    reserved: u32,
    orig: [u64; 5],
    reply: [u64; 5],
}

const NO_TIMEOUT: u32 = u32::MAX;

impl DumpedRecord {
    pub(super) fn of(entry: &DumpedEntry, now_ns: u64) -> Self {
        Self {
            kind: DUMPED,
            state: entry.state,
            zone: entry.key.zone,
            netns: entry.key.netns,
            status: entry.status,
            mark: entry.mark,
            now_ns,
            timeout_seconds: entry.timeout_seconds.unwrap_or(NO_TIMEOUT),
            reserved: 0,
            orig: entry.key.orig,
            reply: entry.reply,
        }
    }

    pub(super) fn entry(&self) -> (DumpedEntry, u64) {
        let entry = DumpedEntry {
            key: TupleKey {
                netns: self.netns,
                zone: self.zone,
                orig: self.orig,
            },
            reply: self.reply,
            status: self.status,
            state: self.state,
            mark: self.mark,
            timeout_seconds: (self.timeout_seconds != NO_TIMEOUT).then_some(self.timeout_seconds),
        };
        (entry, self.now_ns)
    }
}

/// [`crate::observe::Input::Settled`].
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct TimeRecord {
    kind: u8,
    reserved: [u8; 7],
    pub(super) now_ns: u64,
}

impl TimeRecord {
    pub(super) fn of(now_ns: u64) -> Self {
        Self {
            kind: TIME,
            reserved: [0; 7],
            now_ns,
        }
    }
}
