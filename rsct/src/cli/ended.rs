//! A signal that ends a command in the middle of its work.

use crate::kernel::interrupt;

/// A signal arrived before all was done. What was done so far is for the command to report.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: ended by {}{left}", interrupt::name(*.signal))]
pub(super) struct Ended {
    doing: String,
    signal: i32,
    left: String,
}

impl Ended {
    /// With what is as it was before.
    pub(super) fn leaving(self, left: impl Into<String>) -> Self {
        Self {
            left: left.into(),
            ..self
        }
    }
}

/// Whether to go on: an error if a signal was caught.
pub(super) fn check(doing: impl Into<String>) -> Result<(), Ended> {
    match interrupt::caught() {
        None => Ok(()),
        Some(signal) => Err(Ended {
            doing: doing.into(),
            signal,
            left: String::new(),
        }),
    }
}

/// Whether a signal is why a command did not come to its end.
pub(super) fn is_why<T>(done: &anyhow::Result<T>) -> bool {
    done.as_ref()
        .is_err_and(|error| error.downcast_ref::<Ended>().is_some())
}
