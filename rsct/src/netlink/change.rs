//! Creates, changes or deletes one entry, and flushes a table. The kernel acknowledges each request.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};

use super::{
    Error, Socket,
    conntrack::{Change, DumpFilter},
    exchange,
    request::{self, Request, kind},
};

/// An operation on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Creates it; fails with `EEXIST` if it exists.
    Create,
    /// Changes it; fails with `ENOENT` if it does not exist.
    Update,
    /// Deletes it; fails with `ENOENT` if it does not exist.
    Delete,
}

impl Operation {
    /// The operation in an error message.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Create => "creating a conntrack entry",
            Self::Update => "updating a conntrack entry",
            Self::Delete => "deleting a conntrack entry",
        }
    }

    /// The request's header, without the flag for an acknowledgement.
    pub(super) fn request(self, family: u8) -> Request {
        let (message_type, flags) = match self {
            Self::Create => (kind::NEW, NLM_F_CREATE | NLM_F_EXCL),
            Self::Update => (kind::NEW, 0),
            Self::Delete => (kind::DELETE, 0),
        };
        Request {
            message_type,
            flags,
            family,
        }
    }
}

/// Sends the request and waits for the acknowledgement.
pub(crate) async fn apply(
    socket: &mut Socket,
    operation: Operation,
    change: &Change<'_>,
) -> Result<(), Error> {
    let mut request = operation.request(change.family());
    request.flags |= netlink_packet_core::NLM_F_ACK;
    exchange::acknowledged(socket, operation.description(), |sequence, datagram| {
        request.append(datagram, sequence, |out| change.emit(out));
    })
    .await
}

/// Deletes every entry that matches the filter, in one request; with an empty filter, all of the namespace's.
///
/// A kernel that does not know a part of the filter ignores it and deletes more. Deletion checks `CTA_FILTER`
/// from Linux 6.11 on, the zone from 6.8, the status from 5.15. A filter on tuples is safe with any kernel:
/// an older one takes its tuple as complete and refuses it with `EINVAL` or `ENOENT`.
pub(crate) async fn flush(socket: &mut Socket, filter: &DumpFilter) -> Result<(), Error> {
    let family = filter.family.map_or(0, |family| family as u8);
    let request = Request::acknowledged(kind::DELETE, family);
    exchange::acknowledged(socket, "flushing the conntrack table", |sequence, datagram| {
        request.append(datagram, sequence, |out| filter.emit(out));
        if family != 0 {
            request::apply_family(datagram);
        }
    })
    .await
}
