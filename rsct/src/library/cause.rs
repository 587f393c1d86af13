//! Causes, and their occurrences.

use std::{fmt, time::Duration};

use rsct_common::record::CauseFlags;

use crate::causes;

use super::{Process, Tuple};

/// A cause of a drop, an INVALID packet, a failed insert, a deletion or a lost event.
///
/// ```
/// // The causes of packets that were dropped before their entry was in the table.
/// for cause in rsct::Cause::all().filter(|cause| cause.family() == "drop") {
///     println!("{cause}: {}; {}", cause.meaning(), cause.advice());
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cause(causes::Cause);

impl Cause {
    /// Every cause.
    pub fn all() -> impl Iterator<Item = Self> {
        causes::Cause::all().map(Self)
    }

    /// The topic of `rsct why` that it belongs to: `invalid`, `delete`, `full`, `insert`, `nat`, `lost` or `drop`.
    pub fn family(self) -> &'static str {
        self.0.family().name()
    }

    /// The name; unique in its family.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The meaning, in one sentence without a full stop.
    pub fn meaning(self) -> &'static str {
        self.0.meaning()
    }

    /// Advice, as an imperative.
    pub fn advice(self) -> &'static str {
        self.0.advice()
    }
}

/// Prints the name.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One occurrence of a [`Cause`], and its details.
#[derive(Clone, Copy, Debug)]
pub struct Why<'a>(pub(super) &'a causes::Why);

impl<'a> Why<'a> {
    /// The cause.
    pub fn cause(&self) -> Cause {
        Cause(self.0.cause)
    }

    /// The time on the monotonic clock.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.0.record.time_ns)
    }

    /// Inode number of the network namespace.
    pub fn netns(&self) -> u32 {
        self.0.record.netns
    }

    /// The original direction of the flow, or for a packet without an entry the tuple of its headers.
    pub fn tuple(&self) -> Option<Tuple> {
        Tuple::known(self.0.record.tuple)
    }

    /// The kernel's text, if there is one; of a drop its reason and function.
    pub fn text(&self) -> Option<&'a str> {
        self.0.said.as_deref()
    }

    /// The functions that deleted the entry, the innermost first.
    pub fn callers(&self) -> &'a [String] {
        &self.0.callers
    }

    /// The number of bytes by which the segment missed TCP's window.
    pub fn missed_bytes(&self) -> Option<u32> {
        self.0.miss.map(|miss| miss.bytes)
    }

    /// The process on whose stack it happened, if there is one.
    pub fn process(&self) -> Option<Process> {
        let record = &self.0.record;
        let is_known = record.flags & CauseFlags::TASK != 0;
        is_known.then(|| Process::new(record.pid, &record.comm))
    }
}
