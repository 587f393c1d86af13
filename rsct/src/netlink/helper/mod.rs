//! The cthelper subsystem: the kernel's list of user-space helpers, such as conntrackd's.
//!
//! `nfct helper` uses the same messages. An errno identifies the error, and the caller translates it into a
//! message: see [`Error::errno`]. A kernel without the subsystem answers every request with EINVAL.

mod attribute;
mod registered;
mod request;
#[cfg(test)]
mod tests;

pub use registered::Helper;
pub(crate) use registered::{ExpectPolicy, Flows};
#[cfg(test)]
pub(crate) use tests::PAYLOAD;

use super::{Error, Socket, exchange};

/// Every helper, in the kernel's order; helpers are not per namespace.
pub(crate) async fn list(socket: &mut Socket) -> Result<Vec<Helper>, Error> {
    helpers(socket, "listing the helpers", request::list).await
}

/// The first helper with this name and, if given, these flows. If helpers exist and none matches, the kernel
/// may send no answer.
pub(crate) async fn get(
    socket: &mut Socket,
    name: &[u8],
    flows: Option<Flows>,
) -> Result<Option<Helper>, Error> {
    let found = helpers(socket, "getting a helper", |sequence| {
        request::get(name, flows, sequence)
    })
    .await?;
    Ok(found.into_iter().next())
}

/// Creates a helper; it does not receive packets yet.
pub(crate) async fn create(socket: &mut Socket, helper: &Helper) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "adding a helper", |sequence| {
        request::new(helper, sequence)
    })
    .await
}

/// Stops the queueing of packets to a helper. EINVAL if it does not exist.
pub(crate) async fn disable(socket: &mut Socket, name: &[u8], flows: Flows) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "disabling a helper", |sequence| {
        request::disable(name, flows, sequence)
    })
    .await
}

/// Deletes the helpers of this name. ENOENT if there is none, EBUSY if a rule uses it.
pub(crate) async fn delete(socket: &mut Socket, name: &[u8], flows: Option<Flows>) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "deleting a helper", |sequence| {
        request::delete(name, flows, sequence)
    })
    .await
}

/// Deletes every helper that no rule uses.
pub(crate) async fn flush(socket: &mut Socket) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "deleting the helpers", request::flush).await
}

async fn helpers(
    socket: &mut Socket,
    operation: &'static str,
    request: impl FnOnce(u32) -> Vec<u8>,
) -> Result<Vec<Helper>, Error> {
    let mut helpers = Vec::new();
    exchange::answers_of(socket, operation, Error::refused_plainly, request, |payload| {
        helpers.push(Helper::parse(payload)?);
        Ok(())
    })
    .await?;
    Ok(helpers)
}
