//! The timeout observed on an entry, and the state whose value it is.

use crate::timeouts::{Governing, Protocol, Sight, Spans, governing};

/// The timeout that an entry has, and its value if that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    pub(super) governing: Governing,
    pub(super) value_ms: Option<u64>,
}

impl Match {
    /// One of unknown value.
    pub(super) fn without_value(governing: Governing) -> Self {
        Self {
            governing,
            value_ms: None,
        }
    }
}

/// The timeout observed on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) ms: u64,
    /// The timeout that was set may exceed the observed one by this much.
    pub(super) tolerance_ms: u64,
}

impl Observed {
    fn fits(self, ms: u64) -> bool {
        (self.ms..=self.ms.saturating_add(self.tolerance_ms)).contains(&ms)
    }

    /// The timeout of an entry in this state, if it has the observed value.
    pub(super) fn of_state(self, sight: &Sight, spans: &Spans) -> Option<Match> {
        let governing = governing(sight, Some(spans))?;
        match spans.of(governing.state.attribute) {
            // No sysctl has its value.
            None => Some(Match::without_value(governing)),
            Some(ms) => self.fits(ms).then_some(Match {
                governing,
                value_ms: Some(ms),
            }),
        }
    }

    /// The same, or else the only timeout of the protocol that has the observed value.
    pub(super) fn of_any(self, sight: &Sight, spans: &Spans) -> Option<Match> {
        let other = || {
            let mut with = spans.iter().filter(|(_, ms)| self.fits(*ms));
            let (attribute, ms) = with.next()?;
            let state = Protocol::of_number(sight.protonum).state_of_attribute(attribute)?;
            let governing = Governing {
                state,
                reduction: None,
            };
            with.next().is_none().then_some(Match {
                governing,
                value_ms: Some(ms),
            })
        };
        self.of_state(sight, spans).or_else(other)
    }
}
