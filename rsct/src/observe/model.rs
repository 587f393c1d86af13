//! The join of both sources: it takes every record and every entry of a dump, and keeps the flows.

mod notice;
mod packet;

use rsct_common::record::{EntryRecord, PacketRecord, PolicyEvent, PolicyRecord};

use crate::{
    flow::{FlowKey, FlowTable, PolicyOf, delete_kind, operation::Operation, reconcile::Coverage},
    kernel::interfaces::Names,
    provenance::KnownTimeouts,
    records::Record,
};

use super::{
    Counts, Ended, Fact, Input, Observation, Observer, Selection, Setup, Unfired, Want,
    whys::{Programs, Whys},
};

/// The flows, their timeouts and causes.
#[derive(Debug)]
pub(crate) struct Model {
    /// The flows.
    pub table: FlowTable,
    /// Numbers of records so far.
    pub counts: Counts,
    /// Hooks that have not fired although a dump shows that they should have.
    pub unfired: Vec<Unfired>,
    /// The source's closing figures. Without its end, what the notices said.
    pub ended: Ended,
    /// Names of namespaces and interfaces, as far as the source reports them.
    pub names: Names,
    setup: Setup,
    timeouts: KnownTimeouts,
    whys: Whys,
    /// None if every record is reported.
    selection: Option<Selection>,
    /// True once a dump was complete. Until then, entries of the next are no differences.
    is_seeded: bool,
    now_ns: u64,
    /// A packet whose explanation needs a fact.
    waiting: Option<Box<PacketRecord>>,
    pub(super) wanted: Option<Want>,
}

impl Model {
    /// Knows no flows yet.
    pub(crate) fn new(setup: &Setup, selection: Selection) -> Self {
        let mut whys = Whys::default();
        if setup.with_causes {
            whys.programs = Programs::Coming;
        }
        Self {
            table: FlowTable::new(setup.hz.get()),
            counts: Counts::default(),
            unfired: Vec::new(),
            ended: Ended::default(),
            names: Names::default(),
            setup: setup.clone(),
            timeouts: KnownTimeouts::new(setup.hz),
            whys,
            selection: (!selection.is_all()).then_some(selection),
            is_seeded: false,
            now_ns: setup.started_ns,
            waiting: None,
            wanted: None,
        }
    }

    /// The latest time that the source reported.
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Takes one input, and passes on what it shows.
    #[inline]
    pub(crate) fn take(&mut self, input: Input<'_>, observer: &mut impl Observer) {
        match input {
            Input::Record(record) => {
                if !observer.is_over() {
                    self.record(record, observer);
                }
            }
            Input::Dumped { entry, now_ns } => {
                let selection = self.selection.as_ref();
                if selection.is_none_or(|selection| selection.tracks_dumped(entry)) {
                    self.table.dumped(entry, now_ns);
                }
            }
            other => self.rare(other, observer),
        }
    }

    fn rare(&mut self, input: Input<'_>, observer: &mut impl Observer) {
        match input {
            Input::Record(_) | Input::Dumped { .. } | Input::Counted(_) | Input::Latency(_) => {}
            Input::DumpBegins { now_ns } => self.table.begin_dump(now_ns, !self.is_seeded),
            Input::DumpEnds {
                now_ns,
                covered,
                lost,
            } => {
                self.now_ns = now_ns;
                let coverage = |netns| covered.map_or(Coverage::Incomplete, |covered| covered.of(netns));
                self.table.end_dump(now_ns, coverage);
                self.is_seeded |= covered.is_some();
                if lost == 0 && self.table.reconciliation().dumps > 1 {
                    self.find_unfired(observer);
                }
            }
            Input::Fact(fact) => self.fact(fact, observer),
            Input::Settled { now_ns } => self.settled(now_ns, observer),
            Input::Notice(notice) => self.notice(notice, observer),
            Input::Ended(ended) => {
                self.end(observer);
                self.ended.clone_from(ended);
            }
            Input::Cut { elapsed } => {
                self.end(observer);
                self.ended.elapsed = elapsed;
            }
        }
    }

    fn end(&mut self, observer: &mut impl Observer) {
        self.go_on(observer);
        self.causes_alone(u64::MAX, observer);
        observer.settled(u64::MAX);
    }

    fn record(&mut self, record: Record<'_>, observer: &mut impl Observer) {
        if self.waiting.is_some() {
            self.go_on(observer);
        }
        match record {
            Record::Packet(record) => self.packet(record, observer),
            Record::Entry(record) => self.entry(record, observer),
            Record::Policy(record) => self.policy(record),
            Record::Cause(record) => self.whys.add(record),
            // Records of other commands.
            Record::Dump(_) | Record::Slow(_) => {}
        }
    }

    fn entry(&mut self, record: &EntryRecord, observer: &mut impl Observer) {
        if record.time_ns < self.setup.started_ns {
            return;
        }
        if let Some(selection) = &self.selection
            && !selection.tracks_entry(record)
        {
            return;
        }
        let flow = self.table.entry(record);
        if let Some(selection) = &self.selection
            && !selection.reports_entry(record)
        {
            return;
        }
        self.counts.entries += 1;
        match Operation::of(record) {
            Some(Operation::Confirmed | Operation::Created) => self.counts.inserted += 1,
            Some(Operation::Deleted(_)) if delete_kind::deleted(record) => self.counts.deleted += 1,
            _ => {}
        }
        let why = self.whys.of_entry(record);
        observer.observe(Observation::Entry(record, flow.as_ref(), why.as_deref()));
    }

    /// A policy begins to govern a flow, or ends.
    fn policy(&mut self, record: &PolicyRecord) {
        match PolicyEvent::from_byte(record.what) {
            Some(PolicyEvent::Governs) => {
                let key = FlowKey {
                    ct: record.ct,
                    birth_ns: record.birth_ns,
                };
                let number = self.timeouts.policy(record, self.now_ns);
                self.wanted = self.timeouts.wanted();
                self.table.governed(key, PolicyOf::numbered(number));
            }
            Some(PolicyEvent::Ended) => {
                for number in self.timeouts.ended(record) {
                    self.table.policy_ended(PolicyOf::numbered(number));
                }
            }
            None => {}
        }
    }

    fn fact(&mut self, fact: &Fact, observer: &mut impl Observer) {
        match fact {
            Fact::Defaults { netns, defaults } => {
                self.timeouts.set_defaults(*netns, defaults.as_ref(), self.now_ns);
                if let Some(defaults) = defaults {
                    observer.defaults(*netns, defaults);
                }
                self.go_on(observer);
            }
            Fact::Objects { netns, objects } => {
                self.timeouts.set_objects(*netns, objects.as_deref(), self.now_ns);
                self.go_on(observer);
            }
            Fact::Symbols(symbols) => symbols.add_to(&mut self.whys.symbols),
            Fact::Names(names) => self.names.extend(names),
        }
    }
}
