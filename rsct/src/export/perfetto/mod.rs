//! Perfetto's trace format: docs/export.md describes the tracks.
//!
//! The recording is read twice: for the top flows, then to write. Nothing grows with its length but the table of flows.

mod events;
mod flows;
mod held;
mod nesting;
mod output;
mod packets;
mod proto;
mod rates;
#[cfg(test)]
pub(crate) mod read;
#[cfg(test)]
mod tests;
mod tracks;
mod writer;

use std::io::{self, Write};

use rsct_common::record::{EntryRecord, PacketRecord};

use crate::{
    causes::tally::FlowName,
    flow::{Flow, delete_kind, operation::Operation, outcome::Outcome},
    kernel::{interfaces::Names, interrupt},
    observe::{Consumer, Fact, Input, Notice, Observation, Observer, Selection, Want},
    snapshot::Collector,
    source::recorded::{Start, Window},
};

use flows::TopFlows;
use rates::Rates;
use tracks::{Counter, Track};
use writer::Writer;

/// The contents of the file.
#[derive(Debug)]
pub(crate) struct Options {
    /// The reported part of the recording.
    pub selection: Selection,
    /// The only namespace; none for all.
    pub netns: Option<u32>,
    /// The reported time.
    pub window: Window,
    /// Names of namespaces and interfaces.
    pub names: Names,
    /// The flows with tracks.
    pub top: Vec<FlowName>,
    /// The largest size of the file.
    pub most_bytes: u64,
}

/// A finished file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Packets that were read.
    pub packets: u64,
    /// Operations on entries that were read.
    pub entries: u64,
    /// Packets of flows without a track.
    pub of_other_flows: u64,
    /// The size of the file.
    pub bytes: u64,
    /// If the file is full: the time between its begin and its last slice.
    pub full_after_ns: Option<u64>,
}

/// Writes the file.
#[derive(Debug)]
pub(crate) struct Exporter<W> {
    collector: Collector,
    observed: Observed<W>,
}

/// What the observations of the model become.
#[derive(Debug)]
struct Observed<W> {
    writer: Writer<W>,
    flows: TopFlows,
    rates: Rates,
    netns: Option<u32>,
    from_ns: u64,
    /// True once all records before the reported time were read.
    has_begun: bool,
    now_ns: u64,
    written: Written,
}

impl<W: Write> Exporter<W> {
    /// Begins the file.
    pub(crate) fn new(to: W, start: &Start, options: Options) -> Self {
        let mut setup = start.setup.clone();
        setup.started_ns = setup.started_ns.max(options.window.from_ns);
        let from_ns = setup.started_ns;
        let realtime_ns = from_ns.saturating_add_signed(start.realtime_offset_ns);
        let mut names = start.names.clone();
        names.extend(&options.names);
        Self {
            collector: Collector::new(&setup, options.selection),
            observed: Observed {
                writer: Writer::new(to, options.most_bytes, names, from_ns, realtime_ns),
                flows: TopFlows::new(options.top.into_iter(), from_ns),
                rates: Rates::new(from_ns),
                netns: options.netns,
                from_ns,
                has_begun: false,
                now_ns: from_ns,
                written: Written::default(),
            },
        }
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<Written, io::Error> {
        let Observed {
            writer,
            written,
            from_ns,
            ..
        } = self.observed;
        let position_ns = writer.position_ns.saturating_sub(from_ns);
        let written = Written {
            bytes: writer.output.bytes(),
            full_after_ns: writer.output.is_full().then_some(position_ns),
            ..written
        };
        writer.finish()?;
        Ok(written)
    }

    /// Writes which entries of top flows are in the table, and its use.
    fn existing(&mut self, now_ns: u64) {
        let observed = &mut self.observed;
        observed.now_ns = observed.now_ns.max(now_ns);
        let begin_ns = match observed.has_begun {
            true => now_ns,
            false => observed.from_ns,
        };
        let table = &self.collector.model.table;
        observed.flows.existing(&mut observed.writer, table, begin_ns);
        self.tables();
    }

    /// Writes the use of the tables.
    fn tables(&mut self) {
        let observed = &mut self.observed;
        for table in self.collector.tables() {
            if observed.netns.is_some_and(|netns| netns != table.netns) {
                continue;
            }
            let now_ns = observed.now_ns;
            observed
                .writer
                .counter(table.netns, Counter::Entries, now_ns, table.entries);
            if let Some(max) = table.max {
                observed
                    .writer
                    .counter(table.netns, Counter::Limit, now_ns, max.into());
            }
        }
    }
}

impl<W: Write> Consumer for Exporter<W> {
    fn take(&mut self, input: Input<'_>) {
        if let Input::Fact(Fact::Names(names)) = input {
            self.observed.writer.names.extend(names);
        }
        self.collector.take_with(input, &mut self.observed);
        match input {
            Input::DumpEnds { now_ns, .. } if now_ns >= self.observed.from_ns => self.existing(now_ns),
            Input::Settled { now_ns } if now_ns >= self.observed.from_ns => {
                if !std::mem::replace(&mut self.observed.has_begun, true) {
                    self.existing(now_ns);
                }
                let observed = &mut self.observed;
                observed.now_ns = observed.now_ns.max(now_ns);
                if observed.rates.settled(&mut observed.writer, now_ns) {
                    self.tables();
                }
            }
            // The collector keeps notices for a screen.
            Input::Notice(_) => drop(self.collector.notices()),
            Input::Ended(_) | Input::Cut { .. } => {
                let observed = &mut self.observed;
                observed.rates.finish(&mut observed.writer);
                self.tables();
            }
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        self.observed.writer.output.is_done() || interrupt::caught().is_some()
    }

    fn has_failed(&self) -> bool {
        self.observed.writer.output.is_done()
    }

    fn lacks(&mut self) -> Option<Want> {
        None
    }
}

impl<W: Write> Observer for Observed<W> {
    fn observe(&mut self, observation: Observation<'_>) {
        match observation {
            Observation::Packet(record, flow, _, reason) => {
                self.count_packet(record, flow);
                self.writer.packet(record, flow, reason.known());
                if let Some(flow) = flow {
                    self.flows.packet(&mut self.writer, record, flow);
                }
            }
            Observation::Entry(record, flow, why) => {
                self.count_entry(record);
                self.writer.entry(record, flow, why);
                self.flows.entry(&mut self.writer, record, flow, why);
            }
            Observation::Cause(why) => self.writer.cause_alone(why),
        }
    }

    fn notice(&mut self, notice: &Notice) {
        if let Notice::Loss { lost, .. } = notice {
            self.lost("lost records", *lost);
        }
    }

    fn settled(&mut self, until_ns: u64) {
        self.writer.settled(until_ns);
    }
}

impl<W: Write> Observed<W> {
    fn count_packet(&mut self, record: &PacketRecord, flow: Option<&Flow>) {
        self.written.packets += 1;
        let (netns, time_ns) = (record.netns, record.time_ns);
        self.rates.count(netns, Counter::Packets, time_ns);
        let has_track = flow.is_some_and(|flow| {
            self.flows.has(&FlowName {
                netns,
                zone: record.zone,
                tuple: flow.orig,
            })
        });
        if !has_track {
            self.written.of_other_flows += 1;
            self.rates.count(netns, Counter::OtherFlows, time_ns);
        }
        match Outcome::of(record) {
            Outcome::Created => self.rates.count(netns, Counter::Created, time_ns),
            Outcome::Invalid => self.rates.count(netns, Counter::Invalid, time_ns),
            Outcome::Dropped => self.rates.count(netns, Counter::Dropped, time_ns),
            _ => {}
        }
    }

    fn count_entry(&mut self, record: &EntryRecord) {
        self.written.entries += 1;
        if matches!(Operation::of(record), Some(Operation::Deleted(_))) && delete_kind::deleted(record) {
            self.rates.count(record.netns, Counter::Deleted, record.time_ns);
        }
    }

    /// Writes that records were lost, when the recording noticed it.
    fn lost(&mut self, name: &'static str, count: u64) {
        let mut body = self.writer.body(events::category::LOSS, name);
        self.writer.number(&mut body, "count", count);
        let now_ns = self.now_ns.max(self.from_ns);
        self.writer
            .event(packets::Kind::Instant, Track::Lost, now_ns, &body);
    }
}
