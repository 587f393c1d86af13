//! Consumers of observations.

use crate::timeouts::Defaults;

use super::{Notice, Observation};

/// Consumes observations.
pub(crate) trait Observer {
    /// One observation. Those of different CPUs may be out of order by the duration of an operation.
    fn observe(&mut self, observation: Observation<'_>);

    /// The state of the stream changed.
    fn notice(&mut self, _notice: &Notice) {}

    /// The default timeouts of a namespace, when they are first read and when they have changed.
    fn defaults(&mut self, _netns: u32, _defaults: &Defaults) {}

    /// No later observation is of a time before `until_ns`, except for a few whose operation took long.
    fn settled(&mut self, _until_ns: u64) {}

    /// Returns whether it needs no more.
    fn is_over(&self) -> bool {
        false
    }

    /// Returns whether it can take no more.
    fn has_failed(&self) -> bool {
        false
    }

    /// Returns whether it uses the sources of timeouts and the causes of observations.
    fn explains(&self) -> bool {
        true
    }

    /// Returns whether it uses the sources of timeouts, if it uses explanations at all.
    fn needs_sources(&self) -> bool {
        true
    }
}

impl<T: Observer + ?Sized> Observer for &mut T {
    fn observe(&mut self, observation: Observation<'_>) {
        (**self).observe(observation);
    }

    fn notice(&mut self, notice: &Notice) {
        (**self).notice(notice);
    }

    fn defaults(&mut self, netns: u32, defaults: &Defaults) {
        (**self).defaults(netns, defaults);
    }

    fn settled(&mut self, until_ns: u64) {
        (**self).settled(until_ns);
    }

    fn is_over(&self) -> bool {
        (**self).is_over()
    }

    fn has_failed(&self) -> bool {
        (**self).has_failed()
    }

    fn explains(&self) -> bool {
        (**self).explains()
    }

    fn needs_sources(&self) -> bool {
        (**self).needs_sources()
    }
}

/// Both consume every observation. The stream ends when either needs no more.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&mut self, observation: Observation<'_>) {
        self.0.observe(observation);
        self.1.observe(observation);
    }

    fn notice(&mut self, notice: &Notice) {
        self.0.notice(notice);
        self.1.notice(notice);
    }

    fn defaults(&mut self, netns: u32, defaults: &Defaults) {
        self.0.defaults(netns, defaults);
        self.1.defaults(netns, defaults);
    }

    fn settled(&mut self, until_ns: u64) {
        self.0.settled(until_ns);
        self.1.settled(until_ns);
    }

    fn is_over(&self) -> bool {
        self.0.is_over() || self.1.is_over()
    }

    fn has_failed(&self) -> bool {
        self.0.has_failed() || self.1.has_failed()
    }

    fn explains(&self) -> bool {
        self.0.explains() || self.1.explains()
    }

    fn needs_sources(&self) -> bool {
        self.0.needs_sources() || self.1.needs_sources()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts its calls.
    #[derive(Debug, Default)]
    struct Counts {
        observed: u32,
        noticed: u32,
        defaults: u32,
        settled_ns: u64,
        is_over: bool,
        has_failed: bool,
        explains: bool,
        needs_sources: bool,
    }

    impl Observer for Counts {
        fn observe(&mut self, _: Observation<'_>) {
            self.observed += 1;
        }

        fn notice(&mut self, _: &Notice) {
            self.noticed += 1;
        }

        fn defaults(&mut self, _: u32, _: &Defaults) {
            self.defaults += 1;
        }

        fn settled(&mut self, until_ns: u64) {
            self.settled_ns = until_ns;
        }

        fn is_over(&self) -> bool {
            self.is_over
        }

        fn has_failed(&self) -> bool {
            self.has_failed
        }

        fn explains(&self) -> bool {
            self.explains
        }

        fn needs_sources(&self) -> bool {
            self.needs_sources
        }
    }

    fn call(observer: &mut impl Observer) {
        let record = rsct_common::record::EntryRecord::default();
        observer.observe(Observation::Entry(&record, None, None));
        observer.notice(&Notice::NoCauses);
        observer.defaults(1, &Defaults::default());
        observer.settled(5);
    }

    fn was_called(counts: &Counts) -> bool {
        (
            counts.observed,
            counts.noticed,
            counts.defaults,
            counts.settled_ns,
        ) == (1, 1, 1, 5)
    }

    #[test]
    fn both_of_a_pair_observe_everything() {
        let mut pair = (Counts::default(), Counts::default());
        call(&mut pair);
        assert!(was_called(&pair.0) && was_called(&pair.1));
        let mut one = Counts::default();
        call(&mut &mut one);
        assert!(was_called(&one));
    }

    #[test]
    fn a_pair_is_over_when_either_is() {
        for (one, other) in [(false, false), (true, false), (false, true), (true, true)] {
            let counts = |is_it| Counts {
                is_over: is_it,
                has_failed: is_it,
                explains: is_it,
                needs_sources: is_it,
                ..Counts::default()
            };
            let mut pair = (counts(one), counts(other));
            let either = one || other;
            for answer in [
                pair.is_over(),
                pair.has_failed(),
                pair.explains(),
                pair.needs_sources(),
            ] {
                assert_eq!(answer, either);
            }
            let single = &mut pair.0;
            let asked: &dyn Fn(&&mut Counts) -> [bool; 4] = &|of| {
                [
                    Observer::is_over(of),
                    Observer::has_failed(of),
                    Observer::explains(of),
                    Observer::needs_sources(of),
                ]
            };
            assert_eq!(asked(&single), [one; 4]);
        }
    }
}
