//! Causes in a trace: each is assigned to the packet or the entry that it explains.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use rsct_common::{
    Tuple, TupleWords,
    record::{CauseFamily, CauseRecord, EntryRecord, PacketRecord},
};

use crate::{
    causes::Why,
    flow::{operation::Operation, outcome::Outcome, tuples},
    kernel::text::Symbols,
    records::Record,
};

/// The packet or entry of a cause is reported in the same round or the next; an older cause has none, such as a logged
/// complaint about a packet that is still accepted.
const UNCLAIMED_NS: u64 = 1_000_000_000;
/// Both programs run at the same call, but a host may stop the virtual CPU between them.
const APART_NS: u64 = 250_000_000;
/// Causes of packets this long after a loss may be among the lost ones.
const LOSS_NS: u64 = 200_000_000;
/// Number of families.
const FAMILIES: usize = 8;

/// Returns whether a cause may belong to this record. The causes up to now must be reported before it.
#[inline]
pub(crate) fn may_have_cause(record: &Record<'_>) -> bool {
    match record {
        Record::Packet(record) => Outcome::of(record) == Outcome::Invalid,
        Record::Entry(record) => matches!(
            Operation::of(record),
            Some(
                Operation::Deleted(_)
                    | Operation::NotConfirmed
                    | Operation::Clash
                    | Operation::NotCreated
                    | Operation::AllocFailed
            )
        ),
        _ => false,
    }
}

/// The programs that report causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Programs {
    /// Causes are not reported.
    #[default]
    Absent,
    /// They are not attached yet.
    Coming,
    /// They report causes.
    Attached,
}

/// The causes that no record has claimed yet.
#[derive(Debug, Default)]
pub(super) struct Whys {
    pub programs: Programs,
    pub symbols: Symbols,
    /// By family, the oldest first.
    unclaimed: [VecDeque<CauseRecord>; FAMILIES],
    /// The total loss, and the time until which records may miss their cause.
    lost: u64,
    complete_ns: u64,
}

impl Whys {
    /// Adds a cause.
    pub(super) fn add(&mut self, record: &CauseRecord) {
        if self.programs == Programs::Absent {
            return;
        }
        let Some(unclaimed) = self.unclaimed.get_mut(usize::from(record.family)) else {
            return;
        };
        unclaimed.push_back(*record);
        let newest_ns = record.time_ns;
        while unclaimed
            .front()
            .is_some_and(|oldest| oldest.time_ns + UNCLAIMED_NS < newest_ns)
        {
            unclaimed.pop_front();
        }
    }

    /// Causes were lost, up to this total.
    pub(super) fn lost(&mut self, total: u64, now_ns: u64) {
        if total != self.lost {
            self.lost = total;
            self.complete_ns = now_ns + LOSS_NS;
        }
    }

    /// Why a packet is INVALID, if known.
    #[cold]
    pub(super) fn of_invalid(&mut self, record: &PacketRecord, now_ns: u64) -> Option<Box<Why>> {
        if self.programs != Programs::Attached {
            return None;
        }
        let until_ns = record.time_ns + u64::from(record.duration_ns);
        // The first one: a tracker may report a packet again: that it lowers the timeout, and, if the kernel logs, the same
        // cause without the numbers.
        let claimed = self.claim(CauseFamily::Invalid, |causes| {
            causes.iter().position(|cause| {
                cause.cpu == record.cpu
                    && (record.time_ns..=until_ns).contains(&cause.time_ns)
                    && same_headers(&cause.tuple, &record.tuple)
            })
        });
        // If the tracker logged nothing, the packet's kind shows the cause.
        Some(claimed.unwrap_or_else(|| {
            let has_all = self.symbols.sees_log_messages() && now_ns >= self.complete_ns;
            Box::new(Why::without_reason(
                &record.tuple,
                record.netns,
                record.time_ns,
                has_all,
            ))
        }))
    }

    /// Why an operation on an entry took place, if known.
    pub(super) fn of_entry(&mut self, record: &EntryRecord) -> Option<Box<Why>> {
        if self.programs != Programs::Attached {
            return None;
        }
        match Operation::of(record)? {
            Operation::Deleted(_) => {
                self.claim_nearest(record, CauseFamily::Delete, |cause| cause.ct == record.ct)
            }
            Operation::NotConfirmed | Operation::Clash => {
                self.claim_nearest(record, CauseFamily::Insert, |cause| {
                    cause.ct == record.ct || cause.tuple == record.orig
                })
            }
            Operation::NotCreated => {
                self.claim_nearest(record, CauseFamily::Insert, |cause| cause.tuple == record.orig)
            }
            Operation::AllocFailed => {
                self.claim_nearest(record, CauseFamily::Full, |cause| cause.tuple == record.orig)
            }
            _ => None,
        }
    }

    /// Claims the matching cause nearest to the operation: the kernel soon reuses an entry's address.
    fn claim_nearest(
        &mut self,
        record: &EntryRecord,
        family: CauseFamily,
        matches: impl Fn(&CauseRecord) -> bool,
    ) -> Option<Box<Why>> {
        let apart_ns = |cause: &CauseRecord| cause.time_ns.abs_diff(record.time_ns);
        self.claim(family, |causes| {
            let near = causes
                .iter()
                .enumerate()
                .filter(|(_, cause)| apart_ns(cause) < APART_NS && matches(cause));
            near.min_by_key(|(_, cause)| apart_ns(cause))
                .map(|(index, _)| index)
        })
    }

    fn claim(
        &mut self,
        family: CauseFamily,
        which: impl FnOnce(&VecDeque<CauseRecord>) -> Option<usize>,
    ) -> Option<Box<Why>> {
        let causes = self.unclaimed.get_mut(family as usize)?;
        let index = which(causes)?;
        let record = causes.remove(index)?;
        Why::of(&record, &self.symbols).map(Box::new)
    }

    /// Passes on the causes before `before_ns` that belong to no packet and no entry.
    pub(super) fn alone(&mut self, before_ns: u64, mut take: impl FnMut(&Why)) {
        let Self {
            unclaimed, symbols, ..
        } = self;
        let alone = unclaimed.iter_mut().enumerate().filter(|(family, causes)| {
            let claimed = [CauseFamily::Invalid as usize, CauseFamily::Delete as usize];
            !causes.is_empty() && !claimed.contains(family)
        });
        for (_, causes) in alone {
            causes.retain(|record| {
                if record.time_ns >= before_ns {
                    return true;
                }
                if let Some(why) = Why::of(record, symbols)
                    && !why.cause.is_ordinary()
                {
                    take(&why);
                }
                false
            });
        }
    }
}

/// Returns whether two tuples are those of one packet: one is its entry's, the other from its headers.
fn same_headers(headers: &TupleWords, recorded: &TupleWords) -> bool {
    let sent = tuples::headers(Tuple::from_words(*headers));
    let recorded = tuples::headers(Tuple::from_words(*recorded));
    recorded == sent || recorded == tuples::inverse(&sent)
}
