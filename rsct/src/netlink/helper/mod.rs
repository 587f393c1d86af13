//! The cthelper subsystem: helpers that live in user space, such as conntrackd's, as the kernel knows them.
//!
//! `nfct helper` speaks the same messages. An errno tells what is wrong, and it is up to the caller to put it into
//! words: [`Error::errno`] has it. EINVAL to everything is a kernel without the subsystem.

mod attribute;
mod registered;
mod request;
#[cfg(test)]
mod tests;

pub use registered::{ExpectPolicy, Flows, Helper};
#[cfg(test)]
pub(crate) use tests::PAYLOAD;

use super::{Error, Socket, exchange};

/// Every helper of the kernel, in its order; they belong to no namespace.
pub async fn list(socket: &mut Socket) -> Result<Vec<Helper>, Error> {
    helpers(socket, "listing the helpers", request::list).await
}

/// The first helper of this name, and for these flows where they are given. Where there is a helper, though none that
/// is meant, the kernel may say nothing at all.
pub async fn get(socket: &mut Socket, name: &[u8], flows: Option<Flows>) -> Result<Option<Helper>, Error> {
    let found = helpers(socket, "getting a helper", |sequence| {
        request::get(name, flows, sequence)
    })
    .await?;
    Ok(found.into_iter().next())
}

/// Makes a helper, to which no packets go yet.
pub async fn create(socket: &mut Socket, helper: &Helper) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "adding a helper", |sequence| {
        request::new(helper, sequence)
    })
    .await
}

/// Has no packets go to a helper any more. EINVAL where there is no such helper.
pub async fn disable(socket: &mut Socket, name: &[u8], flows: Flows) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "disabling a helper", |sequence| {
        request::disable(name, flows, sequence)
    })
    .await
}

/// Deletes the helpers of this name. ENOENT where there is none, EBUSY where a rule uses it.
pub async fn delete(socket: &mut Socket, name: &[u8], flows: Option<Flows>) -> Result<(), Error> {
    exchange::acknowledged_alone(socket, "deleting a helper", |sequence| {
        request::delete(name, flows, sequence)
    })
    .await
}

/// Deletes every helper that no rule uses.
pub async fn flush(socket: &mut Socket) -> Result<(), Error> {
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
