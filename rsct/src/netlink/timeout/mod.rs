//! The cttimeout subsystem: policies that rules attach to flows, and each protocol's defaults.
//!
//! `nfct timeout` uses the same messages. An errno identifies the error, and the caller translates it into a
//! message with the object's name: see [`Error::errno`].

mod attribute;
mod policy;
mod request;
#[cfg(test)]
mod tests;

pub use policy::Policy;
pub(crate) use policy::Timeouts;
#[cfg(test)]
pub(crate) use tests::PAYLOAD;

use super::{Error, Socket, exchange};
use request::How;

/// Every policy of the socket's namespace, in the kernel's order.
pub(crate) async fn list(socket: &mut Socket) -> Result<Vec<Policy>, Error> {
    policies(socket, "listing the timeout policies", request::list).await
}

/// The policy of this name. ENOENT if there is none.
pub(crate) async fn get(socket: &mut Socket, name: impl AsRef<[u8]>) -> Result<Policy, Error> {
    const OPERATION: &str = "getting a timeout policy";
    let found = policies(socket, OPERATION, |sequence| {
        request::get(name.as_ref(), sequence)
    })
    .await?;
    found.into_iter().next().ok_or_else(|| nothing(OPERATION))
}

/// Creates a policy. States without a value get the namespace's current defaults.
///
/// EBUSY if one of this name exists; EINVAL if it has no value at all, or if the protocol's attributes do not
/// fit; ENOMEM.
pub(crate) async fn create(
    socket: &mut Socket,
    name: impl AsRef<[u8]>,
    timeouts: &Timeouts,
) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "adding a timeout policy", |sequence| {
        request::new(name.as_ref(), timeouts, How::Create, sequence)
    })
    .await
}

/// Changes a policy in place, or creates it: flows that have it keep it. States without a value get the
/// namespace's defaults, as in a new one.
///
/// EINVAL if the existing policy is of another protocol or family.
pub(crate) async fn replace(
    socket: &mut Socket,
    name: impl AsRef<[u8]>,
    timeouts: &Timeouts,
) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "replacing a timeout policy", |sequence| {
        request::new(name.as_ref(), timeouts, How::Replace, sequence)
    })
    .await
}

/// Deletes a policy. ENOENT if there is none, EBUSY if a rule uses it.
pub(crate) async fn delete(socket: &mut Socket, name: impl AsRef<[u8]>) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "deleting a timeout policy", |sequence| {
        request::delete(Some(name.as_ref()), sequence)
    })
    .await
}

/// Deletes every policy that no rule uses; the kernel does not report which.
pub(crate) async fn flush(socket: &mut Socket) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "deleting the timeout policies", |sequence| {
        request::delete(None, sequence)
    })
    .await
}

/// A protocol's defaults in the socket's namespace. EOPNOTSUPP if the kernel has no handler for the protocol.
pub(crate) async fn defaults(socket: &mut Socket, l3proto: u16, l4proto: u8) -> Result<Timeouts, Error> {
    const OPERATION: &str = "getting a protocol's timeouts";
    let of = Timeouts {
        l3proto,
        l4proto,
        values: Vec::new(),
    };
    let found = policies(socket, OPERATION, |sequence| request::default_get(&of, sequence)).await?;
    let first = found.into_iter().next().ok_or_else(|| nothing(OPERATION))?;
    Ok(first.timeouts)
}

/// Changes the given values of a protocol's defaults.
pub(crate) async fn set_defaults(socket: &mut Socket, timeouts: &Timeouts) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "setting a protocol's timeouts", |sequence| {
        request::default_set(timeouts, sequence)
    })
    .await
}

async fn policies(
    socket: &mut Socket,
    operation: &'static str,
    request: impl FnOnce(u32) -> Vec<u8>,
) -> Result<Vec<Policy>, Error> {
    let mut policies = Vec::new();
    exchange::answers_of(socket, operation, Error::refused_plainly, request, |payload| {
        policies.push(Policy::parse(payload)?);
        Ok(())
    })
    .await?;
    Ok(policies)
}

/// The error if the kernel acknowledged the request without an answer.
fn nothing(operation: &'static str) -> Error {
    Error::refused_plainly(operation, libc::ENOENT, None)
}
