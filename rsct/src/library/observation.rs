//! One thing that conntrack did.

use std::time::Duration;

use crate::{flow::operation::Operation, observe};

use super::{Cause, Event, Flow, Packet, Tuple, Why, time::Clock};

/// One thing that conntrack did, with the flow that it happened to and its cause.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Observation<'a> {
    /// A packet traversed `nf_conntrack_in`.
    Packet(Packet<'a>),
    /// An entry was inserted, confirmed, deleted, …
    Event(Event<'a>),
    /// A cause that belongs to no packet and no event: a rule dropped the packet later, for example.
    Cause(Why<'a>),
}

impl<'a> Observation<'a> {
    /// None for an operation of a newer version of rsct.
    pub(super) fn of(observation: observe::Observation<'a>, clock: &'a Clock) -> Option<Self> {
        Some(match observation {
            observe::Observation::Packet(record, flow, source, reason) => Self::Packet(Packet {
                record,
                flow,
                source,
                reason,
                clock,
            }),
            observe::Observation::Entry(record, flow, why) => Self::Event(Event {
                record,
                operation: Operation::of(record)?,
                flow,
                why,
                clock,
            }),
            observe::Observation::Cause(why) => Self::Cause(Why(why)),
        })
    }

    /// The time on the monotonic clock. Observations of different CPUs may be out of order by the duration of an operation.
    pub fn time(&self) -> Duration {
        match self {
            Self::Packet(packet) => packet.time(),
            Self::Event(event) => event.time(),
            Self::Cause(why) => why.time(),
        }
    }

    /// Inode number of the network namespace.
    pub fn netns(&self) -> u32 {
        match self {
            Self::Packet(packet) => packet.netns(),
            Self::Event(event) => event.netns(),
            Self::Cause(why) => why.netns(),
        }
    }

    /// The original direction of the entry, or for a packet without an entry the tuple of its headers.
    pub fn tuple(&self) -> Option<Tuple> {
        match self {
            Self::Packet(packet) => Some(packet.tuple()),
            Self::Event(event) => Some(event.tuple()),
            Self::Cause(why) => why.tuple(),
        }
    }

    /// The flow, if it is known.
    pub fn flow(&self) -> Option<Flow<'a>> {
        match self {
            Self::Packet(packet) => packet.flow(),
            Self::Event(event) => event.flow(),
            Self::Cause(_) => None,
        }
    }

    /// The cause and its details, if there is one.
    pub fn why(&self) -> Option<Why<'a>> {
        match self {
            Self::Packet(packet) => packet.why(),
            Self::Event(event) => event.why(),
            Self::Cause(why) => Some(*why),
        }
    }

    /// The cause, if there is one.
    pub fn cause(&self) -> Option<Cause> {
        self.why().map(|why| why.cause())
    }
}
