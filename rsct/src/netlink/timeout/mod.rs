//! The cttimeout subsystem: policies that rules attach to flows, and each protocol's defaults.
//!
//! `nfct timeout` speaks the same messages. An errno tells what is wrong, and it is up to the caller to put it into
//! words with the object's name: [`Error::errno`] has it.

mod attribute;
mod policy;
mod request;
#[cfg(test)]
mod tests;

pub use policy::{Policy, Timeouts};
#[cfg(test)]
pub(crate) use tests::PAYLOAD;

use super::{Error, Socket, exchange};
use request::How;

/// Every policy of the socket's namespace, in the kernel's order.
pub async fn list(socket: &mut Socket) -> Result<Vec<Policy>, Error> {
    policies(socket, "listing the timeout policies", request::list).await
}

/// The policy of this name. ENOENT where there is none.
pub async fn get(socket: &mut Socket, name: impl AsRef<[u8]>) -> Result<Policy, Error> {
    const OPERATION: &str = "getting a timeout policy";
    let found = policies(socket, OPERATION, |sequence| {
        request::get(name.as_ref(), sequence)
    })
    .await?;
    found.into_iter().next().ok_or_else(|| nothing(OPERATION))
}

/// Makes a policy. States that it does not name get the namespace's defaults of this moment.
///
/// EBUSY where there is one of this name; EINVAL where it names no state at all, or where the protocol's attributes
/// don't fit; ENOMEM.
pub async fn create(socket: &mut Socket, name: impl AsRef<[u8]>, timeouts: &Timeouts) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "adding a timeout policy", |sequence| {
        request::new(name.as_ref(), timeouts, How::Create, sequence)
    })
    .await
}

/// Changes a policy in place: flows that have it keep it. States that are not named get the namespace's defaults, as in
/// a new one. The kernel makes the policy where there is none.
///
/// EINVAL where the policy there is of another protocol or family.
pub async fn replace(socket: &mut Socket, name: impl AsRef<[u8]>, timeouts: &Timeouts) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "replacing a timeout policy", |sequence| {
        request::new(name.as_ref(), timeouts, How::Replace, sequence)
    })
    .await
}

/// Deletes a policy. ENOENT where there is none, EBUSY where a rule uses it.
pub async fn delete(socket: &mut Socket, name: impl AsRef<[u8]>) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "deleting a timeout policy", |sequence| {
        request::delete(Some(name.as_ref()), sequence)
    })
    .await
}

/// Deletes every policy that no rule uses; the kernel does not say which.
pub async fn flush(socket: &mut Socket) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "deleting the timeout policies", |sequence| {
        request::delete(None, sequence)
    })
    .await
}

/// A protocol's defaults in the socket's namespace. EOPNOTSUPP where the kernel has no handler for the protocol.
pub async fn defaults(socket: &mut Socket, l3proto: u16, l4proto: u8) -> Result<Timeouts, Error> {
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

/// Changes those of a protocol's defaults that are named.
pub async fn set_defaults(socket: &mut Socket, timeouts: &Timeouts) -> Result<(), Error> {
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

/// The kernel said yes and sent nothing.
fn nothing(operation: &'static str) -> Error {
    Error::refused_plainly(operation, libc::ENOENT, None)
}
