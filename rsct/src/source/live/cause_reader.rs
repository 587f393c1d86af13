//! Reads the records and the counts of the programs of causes.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use crate::{
    causes::{
        KeyCount,
        programs::{Programs, ProgramsError},
    },
    kernel::text::Symbols,
    observe::{Consumer, Fact, Input, Notice, SymbolFacts},
    records::Record,
};

use super::counting::{Counting, Reading};

/// Reading the counters of losses costs a system call for each program, and that of modules reads a file. A record that may
/// have a cause needs them soon; without one they can wait.
const LOOK_TICK: Duration = Duration::from_millis(20);
const IDLE_TICK: Duration = Duration::from_secs(1);

/// The attached programs, and what was reported of them.
pub(crate) struct CauseReader {
    /// The programs.
    pub(crate) programs: Programs,
    symbols: Symbols,
    /// Addresses whose functions were reported.
    named: HashSet<u64>,
    /// The reported loss, and the time of the last look.
    lost: u64,
    /// The losses of earlier programs.
    lost_before: u64,
    looked: Option<Instant>,
    counting: Counting,
}

impl CauseReader {
    /// Reads from programs, of which nothing was read.
    pub(crate) fn of(programs: Programs) -> Result<Self, ProgramsError> {
        Ok(Self {
            symbols: programs.symbols()?,
            programs,
            named: HashSet::new(),
            lost: 0,
            lost_before: 0,
            looked: None,
            counting: Counting::default(),
        })
    }

    /// Adds the losses of earlier programs.
    pub(super) fn add_lost(&mut self, lost: u64) {
        self.lost_before += lost;
        self.lost += lost;
    }

    /// Reports that causes follow.
    pub(crate) fn report(&self, consumer: &mut impl Consumer) {
        let drop_reasons = self.symbols.drop_reasons();
        consumer.take(Input::Fact(&Fact::Symbols(SymbolFacts {
            places: Vec::new(),
            drop_reasons: drop_reasons
                .map(|(reason, name)| (reason, name.to_owned()))
                .collect(),
            no_log_messages: !self.symbols.sees_log_messages(),
        })));
        let hooks = self.programs.attached();
        consumer.take(Input::Notice(&Notice::Causes { hooks }));
    }

    /// Passes on the causes up to now.
    pub(crate) fn drain(&mut self, consumer: &mut impl Consumer) {
        self.look(IDLE_TICK, consumer);
        self.pass_on(consumer);
    }

    /// The same, before a record that may have a cause.
    pub(crate) fn drain_before_record(&mut self, consumer: &mut impl Consumer) {
        self.look(LOOK_TICK, consumer);
        self.pass_on(consumer);
    }

    /// Checks for losses and for changed modules, unless that was done within this time.
    fn look(&mut self, tick: Duration, consumer: &mut impl Consumer) {
        let now = Instant::now();
        if self.looked.is_none_or(|looked| now >= looked + tick) {
            self.looked = Some(now);
            if self.symbols.clear_if_modules_changed() {
                self.named.clear();
            }
            let total = self.lost();
            if total != self.lost {
                self.lost = total;
                consumer.take(Input::Notice(&Notice::CausesLost { total }));
            }
        }
    }

    fn pass_on(&mut self, consumer: &mut impl Consumer) {
        let Self {
            programs,
            symbols,
            named,
            ..
        } = self;
        programs.drain(|record| {
            name(&record.stack, symbols, named, consumer);
            consumer.take(Input::Record(Record::Cause(record)));
        });
    }

    /// Number of causes that were lost, or missed because the kernel skipped programs.
    pub(crate) fn lost(&self) -> u64 {
        let programs = &self.programs;
        self.lost_before + programs.lost().total() + programs.skips().counted + programs.malformed()
    }

    /// Reads the counts.
    pub(crate) fn counts(&self) -> Result<Vec<KeyCount>, ProgramsError> {
        self.programs.counts()
    }

    /// Passes on a reading, after the causes up to now.
    pub(crate) fn report_counts(&mut self, reading: Reading, consumer: &mut impl Consumer) {
        self.drain(consumer);
        let counted = self.counting.changes(reading, self.programs.state());
        for counted in &counted.counts {
            name(&counted.key.stack, &self.symbols, &mut self.named, consumer);
        }
        consumer.take(Input::Counted(&counted));
    }
}

/// Reports the functions of a stack that were not reported yet.
pub(super) fn name(stack: &[u64], symbols: &Symbols, named: &mut HashSet<u64>, consumer: &mut impl Consumer) {
    let new: Vec<u64> = stack
        .iter()
        .copied()
        .filter(|address| *address != 0 && named.insert(*address))
        .collect();
    if new.is_empty() {
        return;
    }
    let places = new
        .into_iter()
        .map(|address| (address, symbols.place(address).map(Into::into)));
    consumer.take(Input::Fact(&Fact::Symbols(SymbolFacts {
        places: places.collect(),
        ..SymbolFacts::default()
    })));
}
