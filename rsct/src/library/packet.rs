//! Observations of packets.

use std::time::{Duration, SystemTime};

use rsct_common::record::{PacketFlags, PacketRecord};

use crate::{
    flow::{self, outcome::Outcome},
    names::{self, verdict},
    observe::Reason,
    timeouts,
};

use super::{Flow, Process, Status, TimeoutSource, Tuple, Why, time::Clock};

/// One packet's traversal of `nf_conntrack_in`.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub(super) record: &'a PacketRecord,
    pub(super) flow: Option<&'a flow::Flow>,
    pub(super) source: Option<timeouts::TimeoutSource<'a>>,
    pub(super) reason: Reason<'a>,
    pub(super) clock: &'a Clock,
}

impl<'a> Packet<'a> {
    /// The time of its entry into `nf_conntrack_in`, on the monotonic clock.
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

    /// Index of the interface that it arrived on, or leaves by.
    pub fn ifindex(&self) -> u32 {
        self.record.ifindex
    }

    /// The netfilter hook: `PRE_ROUTING` or `LOCAL_OUT`.
    pub fn hook(&self) -> &'static str {
        names::hook(self.record.hook)
    }

    /// The zone; 0 for none.
    pub fn zone(&self) -> u16 {
        self.record.zone
    }

    /// The original direction of its entry, or the tuple of its headers if it has no entry.
    pub fn tuple(&self) -> Tuple {
        Tuple::of(self.record.tuple)
    }

    /// Its length from the network header on, in bytes.
    pub fn len_bytes(&self) -> u32 {
        self.record.len_bytes
    }

    /// How conntrack handled it.
    pub fn outcome(&self) -> Outcome {
        Outcome::of(self.record)
    }

    /// True if `nf_conntrack_in` accepted it; false if it dropped the packet.
    pub fn is_accepted(&self) -> bool {
        u32::from(self.record.verdict) == verdict::ACCEPT
    }

    /// Its relation to the entry: `NEW`, `ESTABLISHED`, `RELATED` or `UNTRACKED`; none for a packet without an entry.
    pub fn ctinfo(&self) -> Option<&'static str> {
        const KNOWN: u16 = PacketFlags::AFTER | PacketFlags::UNTRACKED | PacketFlags::SEEN_ALREADY;
        (self.record.flags & KNOWN != 0).then(|| names::ctinfo(self.record.ctinfo))
    }

    /// True if it is of the reply direction.
    pub fn is_reply(&self) -> bool {
        self.ctinfo().is_some() && names::is_reply(self.record.ctinfo)
    }

    /// The status bits of the entry, as the packet left it.
    pub fn status(&self) -> Option<Status> {
        self.has(PacketFlags::AFTER)
            .then_some(Status(self.record.status_after))
    }

    /// The status bits of the entry before the packet.
    pub fn status_before(&self) -> Option<Status> {
        self.has(PacketFlags::BEFORE)
            .then_some(Status(self.record.status_before))
    }

    /// The protocol's state, as the packet left it, of protocols with states.
    pub fn state(&self) -> Option<&'static str> {
        let protonum = rsct_common::Tuple::from_words(self.record.tuple).protonum;
        names::state(protonum, self.record.state_after).filter(|_| self.has(PacketFlags::AFTER))
    }

    /// The time left until the entry expires, as the packet left it. Before an entry is confirmed, its whole timeout.
    pub fn timeout_left(&self) -> Option<Duration> {
        let record = self.record;
        self.has(PacketFlags::AFTER).then(|| {
            let (status, timeout) = (record.status_after, record.timeout_after_jiffies);
            self.clock.left(status, timeout, record.now_jiffies)
        })
    }

    /// The source of the timeout that it set, if it set one.
    pub fn timeout_source(&self) -> Option<TimeoutSource<'a>> {
        self.source.map(TimeoutSource)
    }

    /// The mark of its entry, if it is known.
    pub fn mark(&self) -> Option<u32> {
        self.has(PacketFlags::MARK).then_some(self.record.mark)
    }

    /// The duration of `nf_conntrack_in`, if it is known.
    pub fn duration(&self) -> Option<Duration> {
        self.has(PacketFlags::DURATION)
            .then(|| Duration::from_nanos(self.record.duration_ns.into()))
    }

    /// The process that sent it, if it is known.
    pub fn process(&self) -> Option<Process> {
        self.has(PacketFlags::TASK)
            .then(|| Process::new(self.record.pid, &self.record.comm))
    }

    /// Its flow, as the packet left it.
    pub fn flow(&self) -> Option<Flow<'a>> {
        self.flow.map(Flow)
    }

    /// The cause, if the packet is INVALID.
    pub fn why(&self) -> Option<Why<'a>> {
        self.reason.known().map(Why)
    }

    fn has(&self, flag: u16) -> bool {
        self.record.flags & flag != 0
    }
}
