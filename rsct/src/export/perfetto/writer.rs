//! Writes slices, instants and counters of named tracks.

use std::io::{self, Write};

use rustc_hash::FxHashMap;

use crate::kernel::interfaces::Names;

use super::{
    held::{Event, Held},
    nesting::Lanes,
    output::Output,
    packets::{self, Annotated, Interned, Kind},
    tracks::{Counter, Track, Tracks},
};

/// Writes events.
#[derive(Debug)]
pub(super) struct Writer<W> {
    pub output: Output<W>,
    pub tracks: Tracks,
    /// Names of namespaces and interfaces.
    pub names: Names,
    held: Held,
    lanes: FxHashMap<(u32, u16), Lanes>,
    interned: FxHashMap<(Interned, &'static str), u64>,
    /// The last value of each counter.
    counters: FxHashMap<(u32, Counter), u64>,
    /// The begin of the last slice of a CPU.
    pub position_ns: u64,
}

impl<W: Write> Writer<W> {
    /// A file of at most `most` bytes, which begins with its clocks.
    pub(super) fn new(to: W, most: u64, names: Names, monotonic_ns: u64, realtime_ns: u64) -> Self {
        let mut output = Output::new(to, most);
        output.packet(|out| packets::clocks(out, monotonic_ns, realtime_ns));
        Self {
            output,
            tracks: Tracks::default(),
            names,
            held: Held::default(),
            lanes: FxHashMap::default(),
            interned: FxHashMap::default(),
            counters: FxHashMap::default(),
            position_ns: monotonic_ns,
        }
    }

    /// Begins the body of an event.
    pub(super) fn body(&mut self, category: &'static str, name: &'static str) -> Vec<u8> {
        let category = self.intern(Interned::Category, category);
        let name = self.intern(Interned::EventName, name);
        let mut body = Vec::with_capacity(128);
        packets::name(&mut body, category, name);
        body
    }

    /// Adds a number to a body.
    pub(super) fn number(&mut self, body: &mut Vec<u8>, name: &'static str, value: impl Into<u64>) {
        let name = self.intern(Interned::AnnotationName, name);
        packets::annotation(body, name, Annotated::Number(value.into()));
    }

    /// Adds a text to a body.
    pub(super) fn text(&mut self, body: &mut Vec<u8>, name: &'static str, value: &[u8]) {
        let name = self.intern(Interned::AnnotationName, name);
        packets::annotation(body, name, Annotated::Text(&crate::outside::shown(value)));
    }

    /// Adds one of few texts to a body.
    pub(super) fn word(&mut self, body: &mut Vec<u8>, name: &'static str, value: &'static str) {
        let name = self.intern(Interned::AnnotationName, name);
        let value = self.intern(Interned::AnnotationText, value);
        packets::annotation(body, name, Annotated::Interned(value));
    }

    fn intern(&mut self, kind: Interned, text: &'static str) -> u64 {
        let next = self.interned.len() as u64 + 1;
        let iid = *self.interned.entry((kind, text)).or_insert(next);
        if iid == next {
            self.output.packet(|out| packets::interned(out, kind, iid, text));
        }
        iid
    }

    /// Adds an event of a CPU, which waits until no earlier one can follow.
    pub(super) fn hold(&mut self, event: Event) {
        for event in self.held.add(event) {
            self.held_event(&event);
        }
    }

    /// No later event of a CPU is of a time before `until_ns`, except for few.
    pub(super) fn settled(&mut self, until_ns: u64) {
        for event in self.held.settled(until_ns) {
            self.held_event(&event);
        }
    }

    fn held_event(&mut self, event: &Event) {
        let lane = match (event.track, event.end_ns) {
            (Track::Cpu { netns, cpu, .. }, Some(end_ns)) if end_ns > event.begin_ns => {
                let lanes = self.lanes.entry((netns, cpu)).or_default();
                lanes.place(event.begin_ns, end_ns)
            }
            _ => None,
        };
        let is_written = match (event.track, event.end_ns, lane) {
            (Track::Cpu { netns, cpu, .. }, Some(end_ns), Some(lane)) => {
                let track = Track::Cpu { netns, cpu, lane };
                self.event(Kind::Begin, track, event.begin_ns, &event.body)
                    && self.event(Kind::End, track, end_ns, &[])
            }
            // Not measured, or not nested.
            _ => self.event(Kind::Instant, event.track, event.begin_ns, &event.body),
        };
        if is_written {
            self.position_ns = self.position_ns.max(event.begin_ns);
        }
    }

    /// Writes an event at once. Returns false if it does not fit.
    pub(super) fn event(&mut self, kind: Kind, track: Track, time_ns: u64, body: &[u8]) -> bool {
        let uuid = self.track(track);
        self.output
            .packet(|out| packets::event(out, kind, time_ns, uuid, body))
    }

    /// Writes a counter if its value is another one than before.
    pub(super) fn counter(&mut self, netns: u32, counter: Counter, time_ns: u64, value: u64) {
        // A counter that was never above zero has no track, except for the table's.
        let before = self.counters.get(&(netns, counter)).copied();
        let is_rate = Counter::RATES.contains(&counter);
        if before == Some(value) || (before.is_none() && value == 0 && is_rate) {
            return;
        }
        self.counters.insert((netns, counter), value);
        let mut body = Vec::new();
        packets::counter_value(&mut body, value);
        self.event(Kind::Counter, Track::Counter(netns, counter), time_ns, &body);
    }

    /// Writes the rest.
    pub(super) fn finish(self) -> io::Result<()> {
        self.output.finish()
    }
}
