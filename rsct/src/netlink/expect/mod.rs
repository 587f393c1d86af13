//! Expectations: the connections that a helper has read the announcement of, such as FTP's data connections.
//!
//! They are ctnetlink's second subsystem, with messages and attributes of their own. [`Expectation::parse`] reads
//! one in place; the functions here ask the kernel for them, and to make and delete them.

mod attribute;
mod event;
mod exchange;
mod expectation;
mod request;
#[cfg(test)]
pub(crate) mod samples;
pub mod stats;
#[cfg(test)]
mod tests;

pub use event::{Event, EventKind, GROUPS, next_events};
pub use expectation::{Expectation, Nat, flags};
pub use request::{Key, New, Of};

use bytes::Bytes;

use super::{Error, Socket};

/// The expectations that a dump brought.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    payloads: Vec<Bytes>,
}

impl Dump {
    /// Each of them.
    pub fn expectations(&self) -> impl Iterator<Item = Expectation<'_>> {
        // All were read once already.
        self.payloads
            .iter()
            .flat_map(|payload| Expectation::parse(payload))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }
}

/// Asks for the expectations that there are. The kernel keeps few (`net.netfilter.nf_conntrack_expect_max`), so they
/// are all read before any is handed over, and an incomplete dump is taken again.
///
/// Asking for one master's fails with ENOENT where there is no such connection.
pub async fn read(socket: &mut Socket, of: Of<'_>) -> Result<Dump, Error> {
    const OPERATION: &str = "dumping the expectation table";
    let payloads = exchange::dump(socket, OPERATION, |sequence| request::dump(of, sequence)).await?;
    for payload in &payloads {
        Expectation::parse(payload)?;
    }
    Ok(Dump { payloads })
}

/// [`read`]s them and hands over each; says how many there were.
pub async fn dump(
    socket: &mut Socket,
    of: Of<'_>,
    mut take: impl FnMut(&Expectation<'_>),
) -> Result<usize, Error> {
    let dump = read(socket, of).await?;
    dump.expectations().for_each(|expectation| take(&expectation));
    Ok(dump.len())
}

/// Asks for the expectation that a packet with this tuple would meet; says whether there is one.
pub async fn get(
    socket: &mut Socket,
    key: &Key,
    mut take: impl FnMut(&Expectation<'_>),
) -> Result<bool, Error> {
    const OPERATION: &str = "getting an expectation";
    let asked = exchange::one(socket, OPERATION, |sequence| request::get(key, sequence)).await;
    let Some(payloads) = found(asked)? else {
        return Ok(false);
    };
    for payload in &payloads {
        take(&Expectation::parse(payload)?);
    }
    Ok(!payloads.is_empty())
}

/// Makes an expectation.
///
/// Of the errors: ENOENT is a master that isn't there; EEXIST and EBUSY say that the tuple is expected already, in
/// part or as a whole, EALREADY by another master; EOPNOTSUPP a master without a helper, or a helper that the kernel
/// doesn't know; EINVAL a class, function or flag that it doesn't know; EMFILE that the helper or the table is full.
pub async fn create(socket: &mut Socket, new: &New<'_>) -> Result<(), Error> {
    const OPERATION: &str = "creating an expectation";
    let request = |sequence| request::new(new, request::How::Create, sequence);
    exchange::one(socket, OPERATION, request).await.map(drop)
}

/// Has an expectation expire so many seconds from now. The kernel gives a new one its helper's timeout, whatever it
/// is asked for.
pub async fn set_timeout(socket: &mut Socket, new: &New<'_>, seconds: u32) -> Result<(), Error> {
    const OPERATION: &str = "setting an expectation's timeout";
    let request = |sequence| request::new(new, request::How::Timeout(seconds), sequence);
    exchange::one(socket, OPERATION, request).await.map(drop)
}

/// Deletes the expectation that a packet with this tuple would meet; says whether there was one.
pub async fn delete(socket: &mut Socket, key: &Key) -> Result<bool, Error> {
    const OPERATION: &str = "deleting an expectation";
    let asked = exchange::one(socket, OPERATION, |sequence| request::delete(key, sequence)).await;
    Ok(found(asked)?.is_some())
}

/// Deletes what the connections have made that the helper of this name works for.
pub async fn delete_by_helper(socket: &mut Socket, helper: &str) -> Result<(), Error> {
    const OPERATION: &str = "deleting a helper's expectations";
    let request = |sequence| request::delete_all(Some(helper), sequence);
    exchange::one(socket, OPERATION, request).await.map(drop)
}

/// Deletes every expectation of the namespace.
pub async fn flush(socket: &mut Socket) -> Result<(), Error> {
    const OPERATION: &str = "emptying the expectation table";
    let request = |sequence| request::delete_all(None, sequence);
    exchange::one(socket, OPERATION, request).await.map(drop)
}

/// That there is none is an answer, not an error.
fn found<T>(asked: Result<T, Error>) -> Result<Option<T>, Error> {
    match asked {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.errno() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
