//! One entry made, changed or deleted, and a table flushed: each a request that the kernel acknowledges.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};

use super::{
    Error, Socket,
    conntrack::{Change, DumpFilter},
    exchange,
    request::{self, Request, kind},
};

/// What is to be done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Make it; one that is there already is an error (`EEXIST`).
    Create,
    /// Make it, or change the one that is there. For one that is there the kernel takes fewer attributes: what cannot
    /// be changed any more, such as NAT, is an error (`EOPNOTSUPP`).
    CreateOrUpdate,
    /// Change it; one that is not there is an error (`ENOENT`).
    Update,
    /// Delete it; one that is not there is an error (`ENOENT`).
    Delete,
}

impl Operation {
    /// What to call it in an error.
    pub(super) fn doing(self) -> &'static str {
        match self {
            Self::Create => "creating a conntrack entry",
            Self::CreateOrUpdate => "creating or updating a conntrack entry",
            Self::Update => "updating a conntrack entry",
            Self::Delete => "deleting a conntrack entry",
        }
    }

    /// The request's header, without the acknowledgement.
    pub(super) fn request(self, family: u8) -> Request {
        let (message_type, flags) = match self {
            Self::Create => (kind::NEW, NLM_F_CREATE | NLM_F_EXCL),
            Self::CreateOrUpdate => (kind::NEW, NLM_F_CREATE),
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

/// Does it, and waits for the kernel's word.
pub async fn apply(socket: &mut Socket, operation: Operation, change: &Change<'_>) -> Result<(), Error> {
    let mut request = operation.request(change.family());
    request.flags |= netlink_packet_core::NLM_F_ACK;
    exchange::acknowledged(socket, operation.doing(), |sequence, datagram| {
        request.append(datagram, sequence, |out| change.emit(out));
    })
    .await
}

/// Deletes every entry that meets the filter, in one request; all of the namespace's where it is empty.
///
/// What a kernel does not know of the filter it does not look at, and then deletes more: `CTA_FILTER` is looked at here
/// from Linux 6.11 on, the zone from 6.8, the status from 5.15. A filter on tuples is safe with any kernel, because an
/// older one takes its tuple for a whole one and refuses it with `EINVAL` or `ENOENT`.
pub async fn flush(socket: &mut Socket, filter: &DumpFilter) -> Result<(), Error> {
    let family = filter.family.map_or(0, |family| family as u8);
    let request = Request::acknowledged(kind::DELETE, family);
    exchange::acknowledged(socket, "flushing the conntrack table", |sequence, datagram| {
        request.append(datagram, sequence, |out| filter.emit(out));
        if family != 0 {
            request::heed_family(datagram);
        }
    })
    .await
}
