//! Perfetto's packets. The numbers of the fields are those of protos/perfetto/trace/perfetto_trace.proto in its sources.

use super::proto::{message, number, signed, text};

/// `TracePacket`.
mod packet {
    pub(super) const CLOCK_SNAPSHOT: u32 = 6;
    pub(super) const TIMESTAMP: u32 = 8;
    pub(super) const SEQUENCE_ID: u32 = 10;
    pub(super) const TRACK_EVENT: u32 = 11;
    pub(super) const INTERNED_DATA: u32 = 12;
    pub(super) const SEQUENCE_FLAGS: u32 = 13;
    pub(super) const DEFAULTS: u32 = 59;
    pub(super) const TRACK_DESCRIPTOR: u32 = 60;
}

/// The only sequence: all packets are of one writer.
const SEQUENCE: u64 = 1;
/// `TracePacket.SequenceFlags`: interned texts begin, or are needed.
const INTERNED_BEGIN: u64 = 1;
const INTERNED_NEEDED: u64 = 2;
/// `BuiltinClock`: the time of day, and the clock of records.
const REALTIME: u64 = 1;
const MONOTONIC: u64 = 3;

/// The type of an event (`TrackEvent.Type`).
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Begin = 1,
    End = 2,
    Instant = 3,
    Counter = 4,
}

/// Texts that packets refer to by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Interned {
    Category,
    EventName,
    AnnotationName,
    AnnotationText,
}

impl Interned {
    /// The field of `InternedData`.
    fn field(self) -> u32 {
        match self {
            Self::Category => 1,
            Self::EventName => 2,
            Self::AnnotationName => 3,
            Self::AnnotationText => 29,
        }
    }
}

/// The first packet: the clock of all times, and the time of day at one of them.
pub(super) fn clocks(out: &mut Vec<u8>, monotonic_ns: u64, realtime_ns: u64) {
    const CLOCKS: u32 = 1;
    const PRIMARY: u32 = 2;
    const DEFAULT_CLOCK: u32 = 58;
    number(out, packet::SEQUENCE_ID, SEQUENCE);
    number(out, packet::SEQUENCE_FLAGS, INTERNED_BEGIN);
    message(out, packet::DEFAULTS, |out| number(out, DEFAULT_CLOCK, MONOTONIC));
    message(out, packet::CLOCK_SNAPSHOT, |out| {
        for (clock, time_ns) in [(MONOTONIC, monotonic_ns), (REALTIME, realtime_ns)] {
            message(out, CLOCKS, |out| {
                number(out, 1, clock);
                number(out, 2, time_ns);
            });
        }
        number(out, PRIMARY, MONOTONIC);
    });
}

/// A text with its number.
pub(super) fn interned(out: &mut Vec<u8>, kind: Interned, iid: u64, value: &str) {
    number(out, packet::SEQUENCE_ID, SEQUENCE);
    number(out, packet::SEQUENCE_FLAGS, INTERNED_NEEDED);
    message(out, packet::INTERNED_DATA, |out| {
        message(out, kind.field(), |out| {
            number(out, 1, iid);
            text(out, 2, value);
        });
    });
}

/// A track.
#[derive(Debug)]
pub(super) struct Descriptor<'a> {
    pub uuid: u64,
    pub parent: Option<u64>,
    pub name: &'a str,
    pub description: Option<String>,
    pub rank: u32,
    pub is_counter: bool,
}

/// A packet with a track.
pub(super) fn descriptor(out: &mut Vec<u8>, track: &Descriptor<'_>) {
    const UUID: u32 = 1;
    const NAME: u32 = 2;
    const PARENT: u32 = 5;
    const COUNTER: u32 = 8;
    const CHILD_ORDERING: u32 = 11;
    const RANK: u32 = 12;
    const DESCRIPTION: u32 = 14;
    const MERGE: u32 = 15;
    /// Children are ordered by their ranks.
    const EXPLICIT: u64 = 3;
    /// Siblings with equal names are different tracks: two namespaces may have the same name.
    const NEVER: u64 = 2;
    number(out, packet::SEQUENCE_ID, SEQUENCE);
    message(out, packet::TRACK_DESCRIPTOR, |out| {
        number(out, UUID, track.uuid);
        if let Some(parent) = track.parent {
            number(out, PARENT, parent);
        }
        text(out, NAME, track.name);
        if let Some(description) = &track.description {
            text(out, DESCRIPTION, description);
        }
        if track.is_counter {
            message(out, COUNTER, |_| {});
        }
        number(out, CHILD_ORDERING, EXPLICIT);
        number(out, RANK, track.rank.into());
        number(out, MERGE, NEVER);
    });
}

/// A packet with an event. `body` has its name, category and annotations.
pub(super) fn event(out: &mut Vec<u8>, kind: Kind, time_ns: u64, track: u64, body: &[u8]) {
    const TYPE: u32 = 9;
    const TRACK: u32 = 11;
    number(out, packet::TIMESTAMP, time_ns);
    number(out, packet::SEQUENCE_ID, SEQUENCE);
    number(out, packet::SEQUENCE_FLAGS, INTERNED_NEEDED);
    message(out, packet::TRACK_EVENT, |out| {
        number(out, TYPE, kind as u64);
        number(out, TRACK, track);
        out.extend_from_slice(body);
    });
}

/// The value of a counter, for the body of its event.
pub(super) fn counter_value(out: &mut Vec<u8>, value: u64) {
    const COUNTER_VALUE: u32 = 30;
    signed(out, COUNTER_VALUE, i64::try_from(value).unwrap_or(i64::MAX));
}

/// The category and name of an event, for its body.
pub(super) fn name(out: &mut Vec<u8>, category_iid: u64, name_iid: u64) {
    const CATEGORY_IIDS: u32 = 3;
    const NAME_IID: u32 = 10;
    number(out, CATEGORY_IIDS, category_iid);
    number(out, NAME_IID, name_iid);
}

/// The value of an annotation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Annotated<'a> {
    Number(u64),
    Text(&'a str),
    /// The number of an interned text.
    Interned(u64),
}

/// An annotation, for the body of an event.
pub(super) fn annotation(out: &mut Vec<u8>, name_iid: u64, value: Annotated<'_>) {
    const ANNOTATIONS: u32 = 4;
    message(out, ANNOTATIONS, |out| {
        number(out, 1, name_iid);
        match value {
            Annotated::Number(value) => number(out, 3, value),
            Annotated::Text(value) => text(out, 6, value),
            Annotated::Interned(iid) => number(out, 17, iid),
        }
    });
}
