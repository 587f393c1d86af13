//! Expectations: connections that a helper predicts from another one's payload, such as FTP's data
//! connections.
//!
//! They are ctnetlink's second subsystem, with its own messages and attributes. [`Expectation::parse`] reads
//! one in place; the functions here dump, look up, create and delete them.

mod attribute;
mod event;
mod exchange;
mod expectation;
mod request;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod stats;
#[cfg(test)]
mod tests;

pub use event::{Event, EventKind};
pub(crate) use event::{GROUPS, next_events};
pub use expectation::Expectation;
pub(crate) use expectation::flags;
pub(crate) use request::{Key, New, Of};

use bytes::Bytes;

use super::{Error, Socket};

/// The expectations of a dump.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dump {
    payloads: Vec<Bytes>,
}

impl Dump {
    /// Iterates over the expectations.
    pub(crate) fn expectations(&self) -> impl Iterator<Item = Expectation<'_>> {
        // All were parsed successfully before.
        self.payloads
            .iter()
            .flat_map(|payload| Expectation::parse(payload))
    }

    /// Number of expectations.
    pub(crate) fn len(&self) -> usize {
        self.payloads.len()
    }
}

/// Dumps expectations. The kernel keeps few (`net.netfilter.nf_conntrack_expect_max`), so all are read before
/// any is returned, and an incomplete dump is repeated.
pub(crate) async fn read(socket: &mut Socket, of: Of) -> Result<Dump, Error> {
    const OPERATION: &str = "dumping the expectation table";
    let payloads = exchange::dump(socket, OPERATION, |sequence| request::dump(of, sequence)).await?;
    for payload in &payloads {
        Expectation::parse(payload)?;
    }
    Ok(Dump { payloads })
}

/// Passes the expectations of a [`read`] to `take`, and returns their number.
pub(crate) async fn dump(
    socket: &mut Socket,
    of: Of,
    mut take: impl FnMut(&Expectation<'_>),
) -> Result<usize, Error> {
    let dump = read(socket, of).await?;
    dump.expectations().for_each(|expectation| take(&expectation));
    Ok(dump.len())
}

/// Looks up the expectation that a packet with this tuple would match; returns whether there is one.
pub(crate) async fn get(
    socket: &mut Socket,
    key: &Key,
    mut take: impl FnMut(&Expectation<'_>),
) -> Result<bool, Error> {
    const OPERATION: &str = "getting an expectation";
    let answer = exchange::single(socket, OPERATION, |sequence| request::get(key, sequence)).await;
    let Some(payloads) = found(answer)? else {
        return Ok(false);
    };
    for payload in &payloads {
        take(&Expectation::parse(payload)?);
    }
    Ok(!payloads.is_empty())
}

/// Creates an expectation.
///
/// Errors: ENOENT: the master does not exist; EEXIST, EBUSY: another expectation has the same tuple or an
/// overlapping one; EALREADY: that of another master; EOPNOTSUPP: the master has no helper, or the kernel
/// does not know the helper; EINVAL: unknown class, function or flag; EMFILE: the helper's or the table's
/// limit is reached.
pub(crate) async fn create(socket: &mut Socket, new: &New<'_>) -> Result<(), Error> {
    const OPERATION: &str = "creating an expectation";
    let request = |sequence| request::new(new, request::How::Create, sequence);
    exchange::single(socket, OPERATION, request).await.map(drop)
}

/// Sets an expectation's timeout in seconds. A new expectation always gets its helper's timeout, whatever the
/// request contains.
pub(crate) async fn set_timeout(socket: &mut Socket, new: &New<'_>, seconds: u32) -> Result<(), Error> {
    const OPERATION: &str = "setting an expectation's timeout";
    let request = |sequence| request::new(new, request::How::Timeout(seconds), sequence);
    exchange::single(socket, OPERATION, request).await.map(drop)
}

/// Deletes the expectation that a packet with this tuple would match; returns whether there was one.
pub(crate) async fn delete(socket: &mut Socket, key: &Key) -> Result<bool, Error> {
    const OPERATION: &str = "deleting an expectation";
    let answer = exchange::single(socket, OPERATION, |sequence| request::delete(key, sequence)).await;
    Ok(found(answer)?.is_some())
}

/// Deletes the expectations of all connections with the helper of this name.
pub(crate) async fn delete_by_helper(socket: &mut Socket, helper: &str) -> Result<(), Error> {
    const OPERATION: &str = "deleting a helper's expectations";
    let request = |sequence| request::delete_all(Some(helper), sequence);
    exchange::single(socket, OPERATION, request).await.map(drop)
}

/// Deletes every expectation of the namespace.
pub(crate) async fn flush(socket: &mut Socket) -> Result<(), Error> {
    const OPERATION: &str = "flushing the expectation table";
    let request = |sequence| request::delete_all(None, sequence);
    exchange::single(socket, OPERATION, request).await.map(drop)
}

/// ENOENT is a result here, not an error.
fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.errno() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
