//! Inputs as records and notes of a recording.

use rsct_common::record::kind;
use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    flow::{TupleKey, reconcile::DumpedEntry},
    kernel::interfaces::Names,
    observe::{Covered, Setup},
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
