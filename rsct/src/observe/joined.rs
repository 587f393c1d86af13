//! A model with its observer, as a consumer of inputs.

use super::{Consumer, Input, Model, Observer, Want};

/// A model, and the observer of its observations.
#[derive(Debug)]
pub(crate) struct Joined<O> {
    /// The model.
    pub model: Model,
    /// The observer.
    pub observer: O,
}

impl<O: Observer> Consumer for Joined<O> {
    #[inline]
    fn take(&mut self, input: Input<'_>) {
        self.model.take(input, &mut self.observer);
    }

    fn is_over(&self) -> bool {
        self.observer.is_over()
    }

    fn has_failed(&self) -> bool {
        self.observer.has_failed()
    }

    #[inline]
    fn lacks(&mut self) -> Option<Want> {
        self.model.wanted.take()
    }
}
