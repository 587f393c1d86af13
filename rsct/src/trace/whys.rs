//! Why things happen, beside a trace: the programs of causes come to work once packets are told of, and what they say is
//! put to the packet or the entry that it is about.

use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, TryRecvError, channel},
    thread,
};

use rsct_common::{
    Tuple, TupleWords,
    record::{CauseFamily, CauseRecord, EntryFlags, EntryKind, EntryRecord, PacketRecord},
};

use crate::{
    causes::{
        Why,
        programs::{Programs, ProgramsError},
    },
    flow::{observation::Outcome, tuples},
    kernel::{interrupt, text::Symbols},
    probe::{
        scope::Scope,
        session::{Form, HookCounts, HookReport},
    },
};

/// What is told why of, and by whom.
#[derive(Default)]
pub struct Whys {
    /// How to attach, as long as nobody has begun to.
    wanted: Option<(Form, Scope)>,
    coming: Option<Receiver<Result<Working, ProgramsError>>>,
    working: Option<Working>,
    /// How much was lost when [`Whys::note_losses`] was called last.
    lost_before: u64,
    /// Whether more was lost since, and of which time that is known.
    newly_lost: (u64, bool),
}

/// Programs at work.
struct Working {
    programs: Programs,
    symbols: Symbols,
    /// What has come and nothing was put to yet, the oldest first.
    unclaimed: VecDeque<CauseRecord>,
}

/// What became of attaching.
pub enum Begun {
    /// From now on causes are told.
    Working(HookCounts),
    /// They can't be told here.
    Failed(ProgramsError),
}

/// A record's packet or entry is told of within the same look, or the next: what is older has none, as complaints of
/// packets that are let go on all the same.
const UNCLAIMED_NS: u64 = 1_000_000_000;

impl Whys {
    /// Those of what `scope` lets through.
    pub fn of(form: Form, scope: Scope) -> Self {
        let mut whys = Self::default();
        whys.wanted = Some((form, scope));
        whys
    }

    /// Goes on with attaching, on a thread of its own: each program takes a while, and records are to be taken in
    /// meanwhile. Says so once it has come to an end.
    pub fn go_on(&mut self) -> Option<Begun> {
        if let Some((form, scope)) = self.wanted.take() {
            let (send, receive) = channel();
            self.coming = Some(receive);
            // Without a thread there is nothing to wait for either: that is told as the channel's end.
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

    /// Whether causes are wanted and their programs are not attached yet.
    pub fn are_coming(&self) -> bool {
        self.wanted.is_some() || self.coming.is_some()
    }

    /// Whether causes are reported.
    pub fn are_working(&self) -> bool {
        self.working.is_some()
    }

    /// Why a packet came to nothing, if that is known.
    #[inline]
    pub fn of_packet(&mut self, record: &PacketRecord) -> Option<Box<Why>> {
        self.working.as_ref()?;
        if Outcome::of(record) != Outcome::Invalid {
            return None;
        }
        Some(self.of_invalid(record))
    }

    /// Out of the way of all other packets, which must not pay for it.
    #[cold]
    fn of_invalid(&mut self, record: &PacketRecord) -> Box<Why> {
        let until_ns = record.time_ns + u64::from(record.duration_ns);
        let claimed = self.claim(|cause| {
            cause.family == CauseFamily::Invalid as u8
                && cause.cpu == record.cpu
                && (record.time_ns..=until_ns).contains(&cause.time_ns)
                && same_headers(&cause.tuple, &record.tuple)
        });
        // If the tracker said nothing, the kind of the packet shows the cause.
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

    /// Notes how much is lost: records that arrive until the next call are complete if it is the same then.
    pub fn note_losses(&mut self) {
        self.lost_before = self.lost();
    }

    /// Whether nothing was lost about the time of a record. Reading the counters takes a system call for each program.
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

    /// Why something happened to an entry, if that is known.
    pub fn of_entry(&mut self, record: &EntryRecord) -> Option<Box<Why>> {
        /// Both programs run at the same call. A host may stop the virtual CPU between them.
        const APART_NS: u64 = 250_000_000;
        const NF_ACCEPT: i32 = 1;
        self.working.as_ref()?;
        let near = |cause: &CauseRecord| cause.time_ns.abs_diff(record.time_ns) < APART_NS;
        match EntryKind::from_byte(record.what)? {
            EntryKind::Delete => self.claim_nearest(record.time_ns, |cause| {
                cause.family == CauseFamily::Delete as u8 && cause.ct == record.ct && near(cause)
            }),
            EntryKind::Confirm if record.ret != NF_ACCEPT || record.flags & EntryFlags::OTHER_ENTRY != 0 => {
                self.claim_nearest(record.time_ns, |cause| {
                    cause.family == CauseFamily::Insert as u8
                        && (cause.ct == record.ct || cause.tuple == record.orig)
                        && near(cause)
                })
            }
            EntryKind::CheckInsert if record.ret < 0 => self.claim_nearest(record.time_ns, |cause| {
                cause.family == CauseFamily::Insert as u8 && cause.tuple == record.orig && near(cause)
            }),
            EntryKind::AllocFailed => self.claim_nearest(record.time_ns, |cause| {
                cause.family == CauseFamily::Full as u8 && cause.tuple == record.orig && near(cause)
            }),
            _ => None,
        }
    }

    /// The one that was recorded first of those that `is_it` says yes to. A tracker may say more of a packet: that its
    /// timeout is lowered for it, and, where the kernel logs, the same once more without the numbers.
    #[cold]
    fn claim(&mut self, is_it: impl Fn(&CauseRecord) -> bool) -> Option<Box<Why>> {
        let working = self.working.as_mut()?;
        working.take_in();
        let place = working.unclaimed.iter().position(is_it)?;
        working.claimed(place)
    }

    /// Claims the matching cause nearest to `time_ns`: the kernel soon reuses an entry's address.
    #[cold]
    fn claim_nearest(&mut self, time_ns: u64, is_it: impl Fn(&CauseRecord) -> bool) -> Option<Box<Why>> {
        let working = self.working.as_mut()?;
        working.take_in();
        let causes = working.unclaimed.iter().enumerate();
        let (place, _) = causes
            .filter(|(_, cause)| is_it(cause))
            .min_by_key(|(_, cause)| cause.time_ns.abs_diff(time_ns))?;
        working.claimed(place)
    }

    /// Hands over what was recorded before `before_ns`, and is about nothing that the trace has told of otherwise until now.
    pub fn alone(&mut self, before_ns: u64, mut take: impl FnMut(&Why)) {
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

    /// How many causes were lost, or not seen as the kernel left programs out.
    pub fn lost(&self) -> u64 {
        self.working.as_ref().map_or(0, |working| {
            let programs = &working.programs;
            programs.lost().total() + programs.skips().counted + programs.malformed()
        })
    }

    /// Whether the kernel leaves programs out without counting it.
    pub fn are_lost_uncounted(&self) -> bool {
        self.working
            .as_ref()
            .is_some_and(|working| working.programs.skips().uncounted)
    }

    /// The hooks whose causes can't be told here, though this kernel has them.
    pub fn missed(&self) -> impl Iterator<Item = &HookReport> {
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

    /// Takes the cause at this place out.
    fn claimed(&mut self, place: usize) -> Option<Box<Why>> {
        let record = self.unclaimed.remove(place)?;
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

/// Whether two tuples say the same of a packet: one of them is its entry's, the other what its headers say.
fn same_headers(headers: &TupleWords, told: &TupleWords) -> bool {
    let sent = tuples::headers(Tuple::from_words(*headers));
    let told = tuples::headers(Tuple::from_words(*told));
    told == sent || told == tuples::inverse(&sent)
}
