//! Observations of entries.

use std::time::{Duration, SystemTime};

use rsct_common::record::{EntryFlags, EntryRecord};

use crate::{
    causes,
    flow::{self, operation::Operation},
    names,
};

use super::{Flow, Process, Status, Tuple, Why, time::Clock};

/// One operation on an entry: it was inserted, confirmed, deleted, …
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub(super) record: &'a EntryRecord,
    pub(super) operation: Operation,
    pub(super) flow: Option<&'a flow::Flow>,
    pub(super) why: Option<&'a causes::Why>,
    pub(super) clock: &'a Clock,
}

impl<'a> Event<'a> {
    /// The time at which the operation began, on the monotonic clock.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.record.time_ns)
    }

    /// The same as a time of day.
    pub fn system_time(&self) -> SystemTime {
        self.clock.system_time(self.record.time_ns)
    }

    /// Inode number of the network namespace.
    pub fn netns(&self) -> u32 {
        self.record.netns
    }

    /// The zone; 0 for none.
    pub fn zone(&self) -> u16 {
        self.record.zone
    }

    /// The operation and its result.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The original direction.
    pub fn tuple(&self) -> Tuple {
        Tuple::of(self.record.orig)
    }

    /// The reply direction.
    pub fn reply_tuple(&self) -> Option<Tuple> {
        Tuple::known(self.record.reply)
    }

    /// The status bits, as the operation left them if that is known, else before it.
    pub fn status(&self) -> Status {
        Status(if self.has_after() {
            self.record.status_after
        } else {
            self.record.status_before
        })
    }

    /// The protocol's state, of protocols with states.
    pub fn state(&self) -> Option<&'static str> {
        let protonum = rsct_common::Tuple::from_words(self.record.orig).protonum;
        let state = if self.has_after() {
            self.record.state_after
        } else {
            self.record.state_before
        };
        names::state(protonum, state)
    }

    /// The time left until the entry expires, before the operation if it deleted the entry, else after it.
    pub fn timeout_left(&self) -> Duration {
        let record = self.record;
        let (status, timeout) = if self.has_after() {
            (record.status_after, record.timeout_after_jiffies)
        } else {
            (record.status_before, record.timeout_before_jiffies)
        };
        self.clock.left(status, timeout, record.now_jiffies)
    }

    /// The mark.
    pub fn mark(&self) -> u32 {
        self.record.mark
    }

    /// The duration of the operation, if it is known.
    pub fn duration(&self) -> Option<Duration> {
        self.has(EntryFlags::DURATION)
            .then(|| Duration::from_nanos(self.record.duration_ns.into()))
    }

    /// The process on whose stack it happened, if there is one.
    pub fn process(&self) -> Option<Process> {
        self.has(EntryFlags::TASK)
            .then(|| Process::new(self.record.pid, &self.record.comm))
    }

    /// The flow; of a deleted entry as it was last.
    pub fn flow(&self) -> Option<Flow<'a>> {
        self.flow.map(Flow)
    }

    /// The cause of a deletion or a failed insert, if it is known.
    pub fn why(&self) -> Option<Why<'a>> {
        self.why.map(Why)
    }

    /// Returns whether the values after the operation are known and of interest.
    fn has_after(&self) -> bool {
        let is_over = matches!(self.operation, Operation::Deleted(_) | Operation::Destroyed);
        self.has(EntryFlags::RETURNED) && self.record.status_after != 0 && !is_over
    }

    fn has(&self, flag: u16) -> bool {
        self.record.flags & flag != 0
    }
}
