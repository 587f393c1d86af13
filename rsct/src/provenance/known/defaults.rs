//! The known default timeouts of a namespace.

use crate::timeouts::{Defaults, GENERIC, Protocol, Sight, Spans, governing};

use super::observed::{Match, Observed};

/// The defaults of a namespace.
#[derive(Debug, Default)]
pub(super) struct KnownDefaults {
    /// When they were wanted last.
    pub(super) wanted_ns: u64,
    /// The values.
    pub(super) spans: Defaults,
}

impl KnownDefaults {
    /// The timeout of an entry in this state, if it has the observed value.
    pub(super) fn of_state(&self, sight: &Sight, observed: Observed) -> Option<Match> {
        let (sight, spans) = self.handled(sight)?;
        observed.of_state(&sight, spans)
    }

    /// The same, or else the only one of the protocol with the observed value.
    pub(super) fn of_any(&self, sight: &Sight, observed: Observed) -> Option<Match> {
        match self.handled(sight) {
            Some((sight, spans)) => observed.of_any(&sight, spans),
            None => governing(sight, None).map(Match::without_value),
        }
    }

    /// The timeouts of an entry's protocol; the generic ones if this kernel has no handler for it.
    fn handled(&self, sight: &Sight) -> Option<(Sight, &Spans)> {
        let number = Protocol::of_number(sight.protonum).number;
        if let Some(spans) = self.spans.get(&number) {
            return Some((*sight, spans));
        }
        let as_generic = Sight {
            protonum: GENERIC,
            ..*sight
        };
        Some((as_generic, self.spans.get(&GENERIC)?))
    }
}
