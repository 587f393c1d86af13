//! The part of a recording to report, and losses before it.

use std::time::Duration;

use super::Start;
use crate::{
    observe::{Ended, Notice},
    records::Lost,
};

/// The part of a recording to report, by the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The first time.
    pub from_ns: u64,
    /// The last time.
    pub to_ns: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            from_ns: 0,
            to_ns: u64::MAX,
        }
    }
}

/// The losses before a window. Counts of losses grow from the start of a recording, and those of the window do not contain
/// earlier ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    lost: Lost,
    total: u64,
    skipped: u64,
    causes: u64,
}

impl Before {
    /// The same notice with the losses of the window; none if it reports losses before it.
    pub(super) fn notice(&mut self, notice: Notice, is_before: bool) -> Option<Notice> {
        match notice {
            Notice::Loss {
                total,
                losses,
                skipped,
                ..
            } if is_before => {
                (self.total, self.lost, self.skipped) = (total, losses, skipped);
                None
            }
            Notice::Loss {
                lost,
                total,
                losses,
                skipped,
            } => Some(Notice::Loss {
                lost,
                total: total.saturating_sub(self.total),
                losses: losses.since(&self.lost),
                skipped: skipped.saturating_sub(self.skipped),
            }),
            Notice::CausesLost { total } if is_before => {
                self.causes = total;
                None
            }
            Notice::CausesLost { total } => Some(Notice::CausesLost {
                total: total.saturating_sub(self.causes),
            }),
            other => Some(other),
        }
    }

    /// The closing figures of the window.
    pub(super) fn of_window(&self, ended: Option<Ended>, window: Window, start: &Start) -> Option<Ended> {
        let mut ended = ended?;
        let before_ns = window.from_ns.saturating_sub(start.setup.started_ns);
        ended.elapsed = ended.elapsed.saturating_sub(Duration::from_nanos(before_ns));
        ended.lost = ended.lost.since(&self.lost);
        ended.skips.counted = ended.skips.counted.saturating_sub(self.skipped);
        ended.causes_lost = ended.causes_lost.saturating_sub(self.causes);
        Some(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_own_losses() {
        let loss = |lost, total| Notice::Loss {
            lost,
            total,
            losses: Lost::default(),
            skipped: total,
        };
        let mut before = Before::default();
        assert_eq!(before.notice(loss(3, 3), true), None);
        assert_eq!(before.notice(Notice::CausesLost { total: 2 }, true), None);
        let inside = before.notice(loss(4, 7), false);
        assert!(matches!(
            inside,
            Some(Notice::Loss {
                lost: 4,
                total: 4,
                skipped: 4,
                ..
            })
        ));
        assert_eq!(
            before.notice(Notice::CausesLost { total: 5 }, false),
            Some(Notice::CausesLost { total: 3 })
        );
        assert_eq!(before.notice(Notice::NoCauses, true), Some(Notice::NoCauses));
    }
}
