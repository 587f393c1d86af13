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
}
