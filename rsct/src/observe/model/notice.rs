//! The time and the changes of a stream, with their effects: causes without a packet, hooks that have not fired.

use crate::{
    observe::{Doubt, Notice, Observation, Observer, Unfired, whys::Programs},
    records::Lost,
};

use super::Model;

/// The cause of an INVALID packet is read with its record or in the next round: records wait so long.
const CAUSES_HOLD_NS: u64 = 40_000_000;
/// A record arrives when its operation ends, and an operation lasts no longer, unless the kernel takes its CPU away.
const HOLD_NS: u64 = 5_000_000;

impl Model {
    pub(super) fn settled(&mut self, now_ns: u64, observer: &mut impl Observer) {
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
    pub(super) fn causes_alone(&mut self, before_ns: u64, observer: &mut impl Observer) {
        let (selection, table) = (self.selection.as_ref(), &self.table);
        self.whys.alone(before_ns, |why| {
            if selection.is_none_or(|selection| selection.reports_cause(&why.record, table)) {
                observer.observe(Observation::Cause(why));
            }
        });
    }

    pub(super) fn notice(&mut self, notice: &Notice, observer: &mut impl Observer) {
        match notice {
            Notice::Started { time_ns, hooks, .. } => {
                self.now_ns = *time_ns;
                observer.notice(&Notice::Started {
                    time_ns: *time_ns,
                    hooks: *hooks,
                    flows_from_dump: self.table.count_from_dump(),
                });
                return;
            }
            // A recording may have causes that are not wanted, and repeats this notice in each file.
            Notice::Causes { .. } if !self.setup.with_causes || self.whys.programs == Programs::Attached => {
                return;
            }
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
    pub(super) fn find_unfired(&mut self, observer: &mut impl Observer) {
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
