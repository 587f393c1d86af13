//! A signal that stops a command before its work is done.

use crate::kernel::interrupt;

/// A signal arrived before the work was done. The command reports what it did until then.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: ended by {}{left}", interrupt::name(*.signal))]
pub(super) struct Ended {
    doing: String,
    signal: i32,
    left: String,
}

impl Ended {
    /// Adds a note about unchanged state.
    pub(super) fn leaving(self, left: impl Into<String>) -> Self {
        Self {
            left: left.into(),
            ..self
        }
    }
}

/// Returns an error if a signal was caught.
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

/// Returns whether a signal stopped the command.
pub(super) fn is_why<T>(done: &anyhow::Result<T>) -> bool {
    done.as_ref()
        .is_err_and(|error| error.downcast_ref::<Ended>().is_some())
}
