//! The join of both sources: it takes every record and every entry of a dump, and keeps the flows.

use rsct_common::record::{EntryRecord, PacketFlags, PacketRecord, PolicyEvent, PolicyRecord};
use serde::{Deserialize, Serialize};

use crate::{
    flow::{
        FlowKey, FlowTable, PolicyOf, delete_kind, operation::Operation, outcome::Outcome,
        reconcile::Coverage,
    },
    kernel::{hz::Hz, interfaces::Names},
    provenance::KnownTimeouts,
    records::{Lost, Record},
};

use super::{
    Consumer, Doubt, Ended, Fact, Input, Notice, Observation, Observer, Reason, Selection, Unfired, Want,
    whys::{Programs, Whys},
};

/// The cause of an INVALID packet is read with its record or in the next round: records wait so long.
const CAUSES_HOLD_NS: u64 = 40_000_000;
/// A record arrives when its operation ends, and an operation lasts no longer, unless the kernel takes its CPU away.
const HOLD_NS: u64 = 5_000_000;

/// Numbers of records, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Records of packets.
    pub packets: u64,
    /// Of these, packets that conntrack found INVALID.
    pub invalid: u64,
    /// Of these, packets that conntrack dropped.
    pub dropped: u64,
    /// Records of entries.
    pub entries: u64,
    /// Entries that were confirmed, or created by user space.
    pub inserted: u64,
    /// Deleted entries.
    pub deleted: u64,
    /// Packets recorded without their cost or their previous state.
    pub incomplete: u64,
}

/// What the model has to know of its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// Jiffies a second.
    pub hz: Hz,
    /// Earlier records are skipped: not all eBPF programs were attached yet.
    pub started_ns: u64,
    /// True if causes will be reported.
    pub with_causes: bool,
    /// The only namespace in scope, if there is one.
    pub only_netns: Option<u32>,
    /// True if all flows of the namespaces are in scope.
    pub is_unfiltered: bool,
}

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
    wanted: Option<Want>,
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

    fn packet(&mut self, record: &PacketRecord, observer: &mut impl Observer) {
        if record.time_ns < self.setup.started_ns {
            return;
        }
        if let Some(selection) = &self.selection
            && !selection.tracks_packet(record, self.table.of_packet(record))
        {
            return;
        }
        let flow = self.table.packet(record);
        if let Some(selection) = &self.selection
            && !selection.reports_packet(record, flow)
        {
            return;
        }
        self.counts.packets += 1;
        let outcome = Outcome::of(record);
        match outcome {
            Outcome::Invalid => self.counts.invalid += 1,
            Outcome::Dropped => self.counts.dropped += 1,
            _ => {}
        }
        self.counts.incomplete += u64::from(record.flags & PacketFlags::DURATION == 0);
        if !observer.explains() {
            observer.observe(Observation::Packet(record, flow, None, Reason::None));
            return;
        }
        let policy = flow.map_or(PolicyOf::NONE, |flow| flow.policy);
        let found = self.timeouts.find_source(record, policy, self.now_ns);
        let why = match outcome {
            Outcome::Invalid => self.whys.of_invalid(record, self.now_ns),
            _ => None,
        };
        if let Some(want) = self.timeouts.wanted() {
            self.wanted = Some(want);
            // The cause of an INVALID packet is claimed; it sets no timeout.
            if why.is_none() {
                self.waiting = Some(Box::new(*record));
                return;
            }
        }
        let reason = match why.as_deref() {
            Some(why) => Reason::Known(why),
            None if outcome == Outcome::Invalid && self.whys.programs == Programs::Coming => Reason::NotYet,
            None => Reason::None,
        };
        let source = found.map(|found| self.timeouts.source(found));
        observer.observe(Observation::Packet(record, flow, source, reason));
    }

    /// Reports the packet that waited for a fact.
    #[cold]
    fn go_on(&mut self, observer: &mut impl Observer) {
        let Some(record) = self.waiting.take() else { return };
        // No other record was taken since, so the flow is as the packet left it.
        let flow = self.table.packet(&record);
        let policy = flow.map_or(PolicyOf::NONE, |flow| flow.policy);
        let found = self.timeouts.find_source(&record, policy, self.now_ns);
        let _ = self.timeouts.wanted();
        let source = found.map(|found| self.timeouts.source(found));
        observer.observe(Observation::Packet(&record, flow, source, Reason::None));
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

    fn settled(&mut self, now_ns: u64, observer: &mut impl Observer) {
        self.go_on(observer);
        self.now_ns = now_ns;
        let hold_ns = match self.whys.programs {
            Programs::Attached => CAUSES_HOLD_NS,
            Programs::Absent | Programs::Coming => HOLD_NS,
        };
        let settled_ns = now_ns.saturating_sub(hold_ns);
        self.causes_alone(settled_ns, observer);
        observer.settled(settled_ns);
    }

    /// Reports the causes before `before_ns` that belong to no packet and no entry; the record of a later one may still
    /// arrive.
    fn causes_alone(&mut self, before_ns: u64, observer: &mut impl Observer) {
        let (selection, table) = (self.selection.as_ref(), &self.table);
        self.whys.alone(before_ns, |why| {
            if selection.is_none_or(|selection| selection.reports_cause(&why.record, table)) {
                observer.observe(Observation::Cause(why));
            }
        });
    }

    fn notice(&mut self, notice: &Notice, observer: &mut impl Observer) {
        match notice {
            Notice::Started { time_ns, hooks, .. } => {
                self.now_ns = *time_ns;
                observer.notice(&Notice::Started {
                    time_ns: *time_ns,
                    hooks: *hooks,
                    flows_from_dump: self.table.flows().filter(|flow| flow.from_dump).count(),
                });
                return;
            }
            // A recording may have causes that are not wanted, and repeats this notice in each file.
            Notice::Causes { .. } if self.whys.programs != Programs::Coming => return,
            Notice::Causes { .. } => self.whys.programs = Programs::Attached,
            Notice::NoCauses => self.whys.programs = Programs::Absent,
            Notice::CausesLost { total } => {
                self.whys.lost(*total, self.now_ns);
                self.ended.causes_lost = *total;
            }
            Notice::Loss { losses, skipped, .. } => {
                self.ended.lost = Lost::clone(losses);
                self.ended.skips.counted = *skipped;
            }
            Notice::Programs { time_ns, run, reason } => {
                if let (None, Some(reason)) = (&self.ended.doubt, reason) {
                    self.ended.doubt = Some(Doubt {
                        time_ns: *time_ns,
                        run: *run,
                        reason: reason.clone(),
                    });
                }
            }
            Notice::Unfired { .. } => return,
        }
        observer.notice(notice);
    }

    /// Finds hooks that have not fired. An entry that matches a filter since a change explains a difference too, and so
    /// does a namespace that a dump reaches for the first time.
    fn find_unfired(&mut self, observer: &mut impl Observer) {
        if !self.setup.is_unfiltered || self.setup.only_netns.is_none() {
            return;
        }
        for unfired in Unfired::of(&self.counts, self.table.reconciliation()) {
            if self.unfired.iter().all(|known| known.change != unfired.change) {
                self.unfired.push(unfired);
                observer.notice(&Notice::Unfired {
                    time_ns: self.now_ns,
                    unfired,
                });
            }
        }
    }
}

/// A model, and the observer of what it observes.
#[derive(Debug)]
pub(crate) struct Joined<O> {
    /// The model.
    pub model: Model,
    /// The observer.
    pub observer: O,
}

impl<O: Observer> Consumer for Joined<O> {
    #[inline]
    fn take(&mut self, input: Input<'_>) {
        self.model.take(input, &mut self.observer);
    }

    fn is_over(&self) -> bool {
        self.observer.is_over()
    }

    fn has_failed(&self) -> bool {
        self.observer.has_failed()
    }

    #[inline]
    fn lacks(&mut self) -> Option<Want> {
        self.model.wanted.take()
    }
}
