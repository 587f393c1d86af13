//! Everything that an answer to a topic needs, from the inputs of a source.

use rsct_common::record::{CauseFamily, CauseKey, CauseRecord};

use crate::{
    causes::of_packet,
    filter::Filter,
    flow::outcome::Outcome,
    kernel::{hz::Hz, interfaces::Names, text::Symbols},
    observe::{
        Chosen, Consumer, Counted, Ended, Fact, Input, Model, Observation, Observer, Reason, Selection,
        Setup, Want,
    },
    records::Record,
};

use super::{readings::Readings, topic::Topic};

/// Collects what an answer needs.
pub(crate) struct TopicInputs {
    pub(super) kept: Kept,
    /// The flows of a recording; none of a live source, which has no records of packets.
    model: Option<Box<Model>>,
    pub(super) names: Names,
    pub(super) ticks: Hz,
    /// True if the source itself has a filter.
    pub(super) is_filtered: bool,
}

/// Collects causes.
pub(super) struct Kept {
    pub(super) topic: Topic,
    pub(super) chosen: Chosen,
    pub(super) readings: Readings,
    pub(super) symbols: Symbols,
}

impl TopicInputs {
    /// Of programs of the topic alone, which check the filter except for its details.
    pub(crate) fn live(topic: Topic, ticks: Hz, filter: &Filter) -> Self {
        let chosen = Chosen {
            filter: Filter {
                details: filter.details,
                ..Filter::default()
            },
            netns: None,
        };
        Self {
            kept: Kept::new(topic, chosen, 0),
            model: None,
            names: Names::default(),
            ticks,
            is_filtered: !filter.is_empty(),
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
        let is_chosen = match model {
            None => self.chosen.has_details(record),
            // The trackers' reasons belong to records of packets.
            Some(model) => {
                record.family != CauseFamily::Invalid as u8 && self.chosen.has_cause(record, &model.table)
            }
        };
        if !is_chosen {
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
