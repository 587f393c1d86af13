//! Causes in a trace: their eBPF programs are attached after tracing has started, and each cause is assigned to the packet
//! or the entry that it explains.

use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, TryRecvError, channel},
    thread,
};

use rsct_common::{
    Tuple, TupleWords,
    record::{CauseFamily, CauseRecord, EntryRecord, PacketRecord},
};

use crate::{
    causes::{
        Why,
        programs::{Programs, ProgramsError},
    },
    flow::{operation::Operation, outcome::Outcome, tuples},
    kernel::{interrupt, text::Symbols},
    probe::{
        scope::Scope,
        session::{Form, HookCounts, HookReport},
    },
};

/// The programs that report causes, and their state.
#[derive(Default)]
pub(crate) struct Whys {
    /// The parameters of attaching, until it starts.
    wanted: Option<(Form, Scope)>,
    coming: Option<Receiver<Result<Working, ProgramsError>>>,
    working: Option<Working>,
    /// The loss at the last call of [`Whys::note_losses`].
    lost_before: u64,
    /// A time, and whether more was lost until then.
    newly_lost: (u64, bool),
}

/// The attached programs.
struct Working {
    programs: Programs,
    symbols: Symbols,
    /// Causes not yet assigned, the oldest first.
    unclaimed: VecDeque<CauseRecord>,
}

/// The result of attaching.
pub(crate) enum Begun {
    /// Causes are reported from now on.
    Working(HookCounts),
    /// Causes cannot be reported.
    Failed(ProgramsError),
}

/// The packet or entry of a cause is reported in the same round or the next; an older cause has none, such as a logged
/// complaint about a packet that is still accepted.
const UNCLAIMED_NS: u64 = 1_000_000_000;

impl Whys {
    /// Causes within `scope`.
    pub(crate) fn of(form: Form, scope: Scope) -> Self {
        let mut whys = Self::default();
        whys.wanted = Some((form, scope));
        whys
    }

    /// Starts to attach, on a separate thread so that records are still read, or returns the result once it has ended.
    pub(crate) fn go_on(&mut self) -> Option<Begun> {
        if let Some((form, scope)) = self.wanted.take() {
            let (send, receive) = channel();
            self.coming = Some(receive);
            // If no thread can start, the channel closes at once.
            let _ = thread::Builder::new().name("rsct-causes".into()).spawn(move || {
                let _ = send.send(Working::begin(form, scope));
            });
            return None;
        }
        let begun = match self.coming.as_ref()?.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Ok(Ok(working)) => {
                let hooks = working.programs.attached();
                self.working = Some(working);
                Some(Begun::Working(hooks))
            }
            Ok(Err(error)) => Some(Begun::Failed(error)),
            Err(TryRecvError::Disconnected) => None,
        };
        self.coming = None;
        begun
    }

    /// Returns whether causes are requested and their programs are not attached yet.
    pub(crate) fn are_coming(&self) -> bool {
        self.wanted.is_some() || self.coming.is_some()
    }

    /// Returns whether causes are reported.
    pub(crate) fn are_working(&self) -> bool {
        self.working.is_some()
    }

    /// Why a packet is INVALID, if known.
    #[inline]
    pub(crate) fn of_packet(&mut self, record: &PacketRecord) -> Option<Box<Why>> {
        self.working.as_ref()?;
        if Outcome::of(record) != Outcome::Invalid {
            return None;
        }
        Some(self.of_invalid(record))
    }

    /// Separate from [`Self::of_packet`], so that other packets do not pay for it.
    #[cold]
    fn of_invalid(&mut self, record: &PacketRecord) -> Box<Why> {
        let until_ns = record.time_ns + u64::from(record.duration_ns);
        let claimed = self.claim(|cause| {
            cause.family == CauseFamily::Invalid as u8
                && cause.cpu == record.cpu
                && (record.time_ns..=until_ns).contains(&cause.time_ns)
                && same_headers(&cause.tuple, &record.tuple)
        });
        // If the tracker logged nothing, the packet's kind shows the cause.
        claimed.unwrap_or_else(|| {
            let all_seen = self.saw_all(record.time_ns);
            Box::new(Why::without_reason(
                &record.tuple,
                record.netns,
                record.time_ns,
                all_seen,
            ))
        })
    }

    /// Notes the loss: records until the next call are complete if it is equal then.
    pub(crate) fn note_losses(&mut self) {
        self.lost_before = self.lost();
    }

    /// Returns whether nothing was lost around the time of a record. Reading the counters costs a system call for each
    /// program.
    fn saw_all(&mut self, time_ns: u64) -> bool {
        const SAME_NS: u64 = 20_000_000;
        let Some(working) = &self.working else {
            return false;
        };
        let sees_log_messages = working.symbols.sees_log_messages();
        if time_ns.abs_diff(self.newly_lost.0) > SAME_NS {
            self.newly_lost = (time_ns, self.lost() != self.lost_before);
        }
        sees_log_messages && !self.newly_lost.1
    }

    /// Why an operation on an entry took place, if known.
    pub(crate) fn of_entry(&mut self, record: &EntryRecord) -> Option<Box<Why>> {
        /// Both programs run at the same call, but a host may stop the virtual CPU between them.
        const APART_NS: u64 = 250_000_000;
        self.working.as_ref()?;
        let near = |cause: &CauseRecord| cause.time_ns.abs_diff(record.time_ns) < APART_NS;
        match Operation::of(record)? {
            Operation::Deleted(_) => self.claim_nearest(record.time_ns, |cause| {
                cause.family == CauseFamily::Delete as u8 && cause.ct == record.ct && near(cause)
            }),
            Operation::NotConfirmed | Operation::Clash => self.claim_nearest(record.time_ns, |cause| {
                cause.family == CauseFamily::Insert as u8
                    && (cause.ct == record.ct || cause.tuple == record.orig)
                    && near(cause)
            }),
            Operation::NotCreated => self.claim_nearest(record.time_ns, |cause| {
                cause.family == CauseFamily::Insert as u8 && cause.tuple == record.orig && near(cause)
            }),
            Operation::AllocFailed => self.claim_nearest(record.time_ns, |cause| {
                cause.family == CauseFamily::Full as u8 && cause.tuple == record.orig && near(cause)
            }),
            _ => None,
        }
    }

    /// Claims the first cause that matches. A tracker may report a packet again: that it lowers the timeout, and, if the
    /// kernel logs, the same cause without the numbers.
    #[cold]
    fn claim(&mut self, matches: impl Fn(&CauseRecord) -> bool) -> Option<Box<Why>> {
        let working = self.working.as_mut()?;
        working.take_in();
        let index = working.unclaimed.iter().position(matches)?;
        working.claimed(index)
    }

    /// Claims the matching cause nearest to `time_ns`: the kernel soon reuses an entry's address.
    #[cold]
    fn claim_nearest(&mut self, time_ns: u64, matches: impl Fn(&CauseRecord) -> bool) -> Option<Box<Why>> {
        let working = self.working.as_mut()?;
        working.take_in();
        let causes = working.unclaimed.iter().enumerate();
        let (index, _) = causes
            .filter(|(_, cause)| matches(cause))
            .min_by_key(|(_, cause)| cause.time_ns.abs_diff(time_ns))?;
        working.claimed(index)
    }

    /// Passes on the causes before `before_ns` that no line of the trace has claimed.
    pub(crate) fn alone(&mut self, before_ns: u64, mut take: impl FnMut(&Why)) {
        let Some(working) = &mut self.working else { return };
        working.take_in();
        let is_alone = |record: &CauseRecord| {
            !matches!(
                CauseFamily::from_byte(record.family),
                Some(CauseFamily::Invalid | CauseFamily::Delete)
            )
        };
        let Working {
            unclaimed, symbols, ..
        } = working;
        unclaimed.retain(|record| {
            if record.time_ns < before_ns
                && is_alone(record)
                && let Some(why) = Why::of(record, symbols)
            {
                if !why.cause.is_ordinary() {
                    take(&why);
                }
                return false;
            }
            true
        });
    }

    /// Number of causes that were lost, or missed because the kernel skipped programs.
    pub(crate) fn lost(&self) -> u64 {
        self.working.as_ref().map_or(0, |working| {
            let programs = &working.programs;
            programs.lost().total() + programs.skips().counted + programs.malformed()
        })
    }

    /// Returns whether the kernel skips programs without counting them.
    pub(crate) fn are_lost_uncounted(&self) -> bool {
        self.working
            .as_ref()
            .is_some_and(|working| working.programs.skips().uncounted)
    }

    /// The hooks that this kernel has, and that could not be attached.
    pub(crate) fn missed(&self) -> impl Iterator<Item = &HookReport> {
        let hooks = self.working.iter().flat_map(|working| working.programs.hooks());
        hooks.filter(|report| report.is_missed())
    }
}

impl Drop for Whys {
    /// Stops the thread that attaches: closing a link that it opened later would delay the exit.
    fn drop(&mut self) {
        if let Some(coming) = self.coming.take() {
            interrupt::end();
            let _ = coming.recv();
        }
    }
}

impl Working {
    fn begin(form: Form, scope: Scope) -> Result<Self, ProgramsError> {
        let programs = Programs::for_trace(form, scope)?;
        Ok(Self {
            symbols: programs.symbols()?,
            programs,
            unclaimed: VecDeque::new(),
        })
    }

    /// Removes the cause at this index.
    fn claimed(&mut self, index: usize) -> Option<Box<Why>> {
        let record = self.unclaimed.remove(index)?;
        Why::of(&record, &self.symbols).map(Box::new)
    }

    fn take_in(&mut self) {
        let unclaimed = &mut self.unclaimed;
        let mut newest_ns = None;
        self.programs.drain(|record| {
            newest_ns = newest_ns.max(Some(record.time_ns));
            unclaimed.push_back(*record);
        });
        let Some(newest_ns) = newest_ns else { return };
        while unclaimed
            .front()
            .is_some_and(|oldest| oldest.time_ns + UNCLAIMED_NS < newest_ns)
        {
            unclaimed.pop_front();
        }
        self.symbols.clear_if_modules_changed();
    }
}

/// Returns whether two tuples are those of one packet: one is its entry's, the other from its headers.
fn same_headers(headers: &TupleWords, recorded: &TupleWords) -> bool {
    let sent = tuples::headers(Tuple::from_words(*headers));
    let recorded = tuples::headers(Tuple::from_words(*recorded));
    recorded == sent || recorded == tuples::inverse(&sent)
}
