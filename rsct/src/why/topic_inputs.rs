//! Everything that an answer to a topic needs, from the inputs of a source.

use std::time::Duration;

use rsct_common::record::{CauseFamily, CauseKey, CauseRecord};

use crate::{
    causes::{Answer, Unseen, counters::CounterCheck, of_packet, tally::CauseTotals},
    flow::outcome::Outcome,
    kernel::{hz::Hz, interfaces::Names, text::Symbols},
    observe::{
        Consumer, Counted, Ended, Fact, Input, Model, Observation, Observer, Reason, Selection, Setup, Want,
    },
    probe::proof::Unproven,
    records::{Lost, Record, Skips},
};

use super::{
    chosen::Chosen,
    readings::Readings,
    topic::{Topic, cannot_count},
};

/// Collects what an answer needs.
pub(crate) struct TopicInputs {
    kept: Kept,
    /// The flows of a recording; none of a live source, which has no records of packets.
    model: Option<Box<Model>>,
    names: Names,
    ticks: Hz,
    /// True if the source itself has a filter.
    is_filtered: bool,
}

/// Collects causes.
struct Kept {
    topic: Topic,
    chosen: Chosen,
    readings: Readings,
    symbols: Symbols,
}

/// There is nothing to answer from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the recording has no two readings of the counts of causes in this time: `rsct record` writes one when the programs \
     of causes are attached, one each second and one at the end, but none with --no-causes"
)]
pub(crate) struct NoCounts;

/// The parts of an answer.
pub(crate) struct Answered {
    totals: CauseTotals,
    held: Vec<CounterCheck>,
    elapsed: Duration,
    is_filtered: bool,
    counts_records: bool,
    unseen: Vec<Unseen>,
    unproven: Option<Unproven>,
    lost: Lost,
    skips: Skips,
    malformed: u64,
}

impl TopicInputs {
    /// Of programs of the topic alone.
    pub(crate) fn live(topic: Topic, ticks: Hz, is_filtered: bool) -> Self {
        Self {
            kept: Kept::new(topic, Chosen::default(), 0),
            model: None,
            names: Names::default(),
            ticks,
            is_filtered,
        }
    }

    /// Of a trace, from the reading nearest to a time on.
    pub(crate) fn recorded(topic: Topic, setup: &Setup, chosen: Chosen, from_ns: u64) -> Self {
        Self {
            kept: Kept::new(topic, chosen, from_ns),
            model: Some(Box::new(Model::new(setup, Selection::default()))),
            names: Names::default(),
            ticks: setup.hz,
            is_filtered: !setup.is_unfiltered,
        }
    }

    /// The flows of a recording.
    pub(crate) fn model(&self) -> Option<&Model> {
        self.model.as_deref()
    }

    /// The names of namespaces and interfaces.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The selected records.
    pub(crate) fn chosen(&self) -> &Chosen {
        &self.kept.chosen
    }

    /// `net.netfilter.nf_conntrack_max` of a namespace, if it is known.
    pub(crate) fn max_entries(&self, netns: u32) -> Option<u32> {
        let all = &self.kept.readings.all.counters.max_entries;
        all.iter().find(|(of, _)| *of == netns).map(|(_, max)| *max)
    }

    /// The namespaces whose counters were read.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = u32> {
        let all = self.kept.readings.all.counters.namespaces.iter();
        all.map(|(netns, _)| *netns)
            .filter(|netns| self.kept.chosen.has_netns(*netns))
    }

    /// Computes the answer between the first and the last reading.
    pub(crate) fn answered(&self) -> Result<Answered, NoCounts> {
        let Kept {
            topic,
            chosen,
            readings,
            symbols,
        } = &self.kept;
        let (first, last, totals) = readings.between(symbols).ok_or(NoCounts)?;
        let mut counters = [first.counters.clone(), last.counters.clone()];
        if let Some(netns) = chosen.netns {
            for counters in &mut counters {
                counters.keep_only(netns);
            }
        }
        let [before, after] = counters;
        let is_filtered = self.is_filtered || !chosen.filter.is_empty();
        let programs = &last.programs;
        let unproven = programs.unproven.clone().or(first.programs.unproven.clone());
        let mut losses = Losses::default();
        losses.add(
            (&first.programs.lost, &last.programs.lost),
            (first.programs.skips, last.programs.skips),
            (first.programs.malformed, last.programs.malformed),
        );
        let mut unread = first.unread.as_ref().or(last.unread.as_ref()).cloned();
        if self.needs_packets(programs.leaves_packets) {
            let before = losses.total();
            losses.add(
                (&first.trace.lost, &last.trace.lost),
                (first.trace.skips, last.trace.skips),
                (first.trace.malformed, last.trace.malformed),
            );
            if losses.total() != before {
                unread.get_or_insert_with(|| "records of packets were lost".to_owned());
            }
        }
        let held = match is_filtered {
            true => Vec::new(),
            false => topic.compare(&totals, &before, &after),
        };
        let held = held.into_iter().map(|(family, held)| CounterCheck {
            unknown: cannot_count(family, unproven.as_ref(), &programs.unseen)
                .or(unread.clone())
                .or(held.unknown.clone()),
            ..held
        });
        Ok(Answered {
            held: held.collect(),
            totals,
            elapsed: Duration::from_nanos(last.time_ns - first.time_ns),
            is_filtered,
            counts_records: !chosen.filter.is_empty(),
            unseen: self.unseen(&programs.unseen),
            unproven,
            lost: losses.lost,
            skips: losses.skips,
            malformed: losses.malformed,
        })
    }

    /// Returns whether records of packets show some of the topic's causes.
    fn needs_packets(&self, leaves_packets: bool) -> bool {
        let from_packets = [CauseFamily::Invalid, CauseFamily::Drop];
        leaves_packets
            && from_packets
                .iter()
                .any(|family| self.kept.topic.families.contains(family))
    }

    /// The hooks of the topic that are not attached.
    fn unseen(&self, all: &[Unseen]) -> Vec<Unseen> {
        let hooks = crate::probe::cause_hooks::of(self.kept.topic.families);
        let of_topic = |unseen: &&Unseen| {
            hooks
                .iter()
                .any(|hook| hook.function == unseen.function && hook.shows == unseen.shows)
        };
        all.iter().filter(of_topic).cloned().collect()
    }

    /// The answer, with at most this number of flows, tasks and so on of each cause.
    pub(crate) fn answer<'a>(&'a self, answered: &'a Answered, most: usize) -> Answer<'a> {
        let topic = &self.kept.topic;
        Answer {
            topic: topic.name,
            things: topic.things,
            elapsed: answered.elapsed,
            causes: answered.totals.causes(topic.shows),
            held: answered.held.clone(),
            filtered: answered.is_filtered,
            counts_records: answered.counts_records,
            unseen: answered.unseen.clone(),
            unproven: answered.unproven.clone(),
            lost: answered.lost.clone(),
            skips: answered.skips,
            malformed: answered.malformed,
            names: &self.names,
            symbols: &self.kept.symbols,
            ticks: self.ticks,
            listeners: &self.kept.readings.all.listeners,
            most,
        }
    }
}

impl Answered {
    /// Returns whether all counts agree with the kernel's.
    pub(crate) fn agrees(&self) -> bool {
        self.held.iter().all(CounterCheck::agrees)
    }
}

impl Consumer for TopicInputs {
    fn take(&mut self, input: Input<'_>) {
        let kept = &mut self.kept;
        match input {
            Input::Record(Record::Cause(record)) => kept.cause(record, self.model.as_deref()),
            Input::Counted(counted) => {
                let ended = self.model.as_deref().map(|model| &model.ended);
                kept.counted(counted, ended.unwrap_or(&Ended::default()));
            }
            Input::Fact(Fact::Symbols(symbols)) => symbols.add_to(&mut kept.symbols),
            Input::Fact(Fact::Names(names)) => self.names.extend(names),
            _ => {}
        }
        if let Some(model) = &mut self.model {
            model.take(input, kept);
        }
    }

    fn is_over(&self) -> bool {
        false
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn lacks(&mut self) -> Option<Want> {
        None
    }

    fn wants_counts(&self) -> bool {
        true
    }
}

/// Packets of a trace show causes that its programs of causes leave to them.
impl Observer for Kept {
    fn observe(&mut self, observation: Observation<'_>) {
        let Observation::Packet(packet, _, _, reason) = observation else {
            return;
        };
        let record = match Outcome::of(packet) {
            Outcome::Invalid => match reason {
                Reason::Known(why) => of_packet::invalid(packet, why),
                _ => return,
            },
            Outcome::Dropped => match of_packet::no_entry(packet) {
                Some(record) => record,
                None => return,
            },
            _ => return,
        };
        if self.topic.has_family(record.family) && self.chosen.has_packet(packet) {
            self.readings.count(&record, &self.symbols);
        }
    }
}

impl Kept {
    fn new(topic: Topic, chosen: Chosen, from_ns: u64) -> Self {
        Self {
            topic,
            chosen,
            readings: Readings::from(from_ns),
            symbols: Symbols::default(),
        }
    }

    fn cause(&mut self, record: &CauseRecord, model: Option<&Model>) {
        if !self.topic.has_family(record.family) {
            return;
        }
        let Some(model) = model else {
            return self.readings.record(record, &self.symbols);
        };
        // The trackers' reasons belong to records of packets.
        if record.family == CauseFamily::Invalid as u8 || !self.chosen.has_cause(record, &model.table) {
            return;
        }
        match self.chosen.filter.is_empty() {
            true => self.readings.record(record, &self.symbols),
            false => self.readings.count(record, &self.symbols),
        }
    }

    fn counted(&mut self, counted: &Counted, trace: &Ended) {
        let Self {
            topic,
            chosen,
            readings,
            symbols,
        } = self;
        let counts_records = !chosen.filter.is_empty();
        let leaves_packets = match &counted.programs {
            Some(programs) => programs.leaves_packets,
            None => readings.all.programs.leaves_packets,
        };
        let is_counted = |key: &CauseKey| {
            topic.has_family(key.family)
                && !counts_records
                && !(leaves_packets && key.family == CauseFamily::Invalid as u8)
                && chosen.has_netns(key.netns)
        };
        readings.read(counted, is_counted, symbols, trace);
    }
}

/// The losses between two readings.
#[derive(Default)]
struct Losses {
    lost: Lost,
    skips: Skips,
    malformed: u64,
}

impl Losses {
    fn add(&mut self, lost: (&Lost, &Lost), skips: (Skips, Skips), malformed: (u64, u64)) {
        let (before, after) = lost;
        for (cpu, counts) in after.per_cpu.iter().enumerate() {
            if self.lost.per_cpu.len() <= cpu {
                self.lost.per_cpu.push(Default::default());
            }
            for (kind, count) in counts.iter().enumerate() {
                let earlier = before.per_cpu.get(cpu).map_or(0, |counts| counts[kind]);
                self.lost.per_cpu[cpu][kind] += count.saturating_sub(earlier);
            }
        }
        self.skips.counted += skips.1.counted.saturating_sub(skips.0.counted);
        self.skips.uncounted |= skips.1.uncounted;
        self.malformed += malformed.1.saturating_sub(malformed.0);
    }

    fn total(&self) -> u64 {
        self.lost.total() + self.skips.counted + self.malformed
    }
}
