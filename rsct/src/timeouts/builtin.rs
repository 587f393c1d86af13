//! The kernel's built-in defaults, read from a new and unchanged namespace.

use std::os::fd::AsFd as _;

use thiserror::Error;

use super::{Protocol, State, TimeoutValues, ValuesError, in_force::StateValue};
use crate::{
    kernel::{
        netns::{self, NetnsError},
        sysctl::Where,
    },
    netlink::Socket,
};

/// Cause of a failure to read them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum BuiltinError {
    /// No namespace can be created.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// Its values can't be read.
    #[error(transparent)]
    Values(#[from] ValuesError),
}

/// The built-in defaults of some protocols.
#[derive(Debug, Default)]
pub(crate) struct Builtin {
    values: Vec<(u8, Vec<StateValue>)>,
}

impl Builtin {
    /// Reads those of these protocols. Must be called inside a tokio runtime with I/O enabled.
    pub(crate) async fn measure(
        protocols: impl IntoIterator<Item = &'static Protocol>,
    ) -> Result<Self, BuiltinError> {
        let fresh = netns::fresh()?;
        let mut socket = Socket::open_in(fresh.as_fd()).map_err(ValuesError::from)?;
        let mut values = TimeoutValues {
            socket: &mut socket,
            at: Where::Inside(fresh.as_fd()),
        };
        let mut measured = Self::default();
        for protocol in protocols {
            if let Some(read) = values.read(protocol).await? {
                measured.values.push((protocol.number, read));
            }
        }
        Ok(measured)
    }

    /// A state's default, if it was read.
    pub(crate) fn seconds(&self, protocol: &Protocol, state: &State) -> Option<u32> {
        let (_, values) = self
            .values
            .iter()
            .find(|(number, _)| *number == protocol.number)?;
        let of = |(attribute, _): &&StateValue| *attribute == state.attribute;
        values.iter().find(of).map(|(_, seconds)| *seconds)
    }
}
