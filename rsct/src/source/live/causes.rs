//! The programs that report causes: attached after tracing has started, on a thread, so that records are still read.

use std::{
    collections::HashSet,
    sync::mpsc::{Receiver, TryRecvError, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{
    causes::programs::{Programs, ProgramsError},
    kernel::{interrupt, text::Symbols},
    observe::{Consumer, Fact, Input, Notice, SymbolFacts},
    probe::{scope::Scope, session::Form},
    records::Record,
};

/// Reading the counters of losses costs a system call for each program.
const LOSS_TICK: Duration = Duration::from_millis(20);

/// The programs that report causes, and their state.
#[derive(Default)]
pub(super) struct Causes {
    /// The parameters of attaching, until it starts.
    wanted: Option<(Form, Scope)>,
    coming: Option<Receiver<Result<Attached, ProgramsError>>>,
    attached: Option<Attached>,
}

/// The attached programs.
struct Attached {
    programs: Programs,
    symbols: Symbols,
    /// Addresses whose functions were reported.
    named: HashSet<u64>,
    /// The reported loss, and the time of the next look.
    lost: u64,
    next: Instant,
}

impl Causes {
    /// Causes within `scope`.
    pub(super) fn of(form: Form, scope: Scope) -> Self {
        Self {
            wanted: Some((form, scope)),
            coming: None,
            attached: None,
        }
    }

    /// Starts to attach, or reports the result once that has ended.
    pub(super) fn go_on(&mut self, consumer: &mut impl Consumer) {
        if let Some((form, scope)) = self.wanted.take() {
            let (send, receive) = channel();
            self.coming = Some(receive);
            // If no thread can start, the channel closes at once.
            let _ = thread::Builder::new().name("rsct-causes".into()).spawn(move || {
                let _ = send.send(Attached::begin(form, scope));
            });
            return;
        }
        let Some(coming) = &self.coming else { return };
        match coming.try_recv() {
            Err(TryRecvError::Empty) => return,
            Ok(Ok(attached)) => {
                attached.report(consumer);
                self.attached = Some(attached);
            }
            Ok(Err(error)) => {
                message!("causes are not reported: {error}");
                consumer.take(Input::Notice(&Notice::NoCauses));
            }
            Err(TryRecvError::Disconnected) => consumer.take(Input::Notice(&Notice::NoCauses)),
        }
        self.coming = None;
    }

    /// Passes on the causes up to now.
    pub(super) fn drain(&mut self, consumer: &mut impl Consumer) {
        if let Some(attached) = &mut self.attached {
            attached.drain(consumer);
        }
    }

    /// Number of causes that were lost, or missed because the kernel skipped programs.
    pub(super) fn lost(&self) -> u64 {
        self.attached.as_ref().map_or(0, Attached::lost)
    }

    /// Returns whether the kernel skips programs without counting them.
    pub(super) fn are_lost_uncounted(&self) -> bool {
        self.attached
            .as_ref()
            .is_some_and(|attached| attached.programs.skips().uncounted)
    }
}

impl Drop for Causes {
    /// Stops the thread that attaches: closing a link that it opened later would delay the exit.
    fn drop(&mut self) {
        if let Some(coming) = self.coming.take() {
            interrupt::end();
            let _ = coming.recv();
        }
    }
}

impl Attached {
    fn begin(form: Form, scope: Scope) -> Result<Self, ProgramsError> {
        let programs = Programs::for_trace(form, scope)?;
        Ok(Self {
            symbols: programs.symbols()?,
            programs,
            named: HashSet::new(),
            lost: 0,
            next: Instant::now(),
        })
    }

    fn report(&self, consumer: &mut impl Consumer) {
        let missed = self.programs.hooks().iter().filter(|report| report.is_missed());
        for report in missed {
            message!(
                "{} not attached ({}); not reported: {}",
                report.hook.function,
                report.why_not_better.join("; "),
                report.hook.shows
            );
        }
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

    fn drain(&mut self, consumer: &mut impl Consumer) {
        let now = Instant::now();
        if now >= self.next {
            self.next = now + LOSS_TICK;
            if self.symbols.clear_if_modules_changed() {
                self.named.clear();
            }
            let total = self.lost();
            if total != self.lost {
                self.lost = total;
                consumer.take(Input::Notice(&Notice::CausesLost { total }));
            }
        }
        let Self {
            programs,
            symbols,
            named,
            ..
        } = self;
        programs.drain(|record| {
            report_functions(&record.stack, symbols, named, consumer);
            consumer.take(Input::Record(Record::Cause(record)));
        });
    }

    fn lost(&self) -> u64 {
        let programs = &self.programs;
        programs.lost().total() + programs.skips().counted + programs.malformed()
    }
}

/// Reports the functions of a stack that were not reported yet.
pub(super) fn report_functions(
    stack: &[u64],
    symbols: &Symbols,
    named: &mut HashSet<u64>,
    consumer: &mut impl Consumer,
) {
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
