//! What the kernel tells of entries by itself.

use std::ops::ControlFlow;

use netlink_packet_core::NLM_F_CREATE;

use super::{
    Error, Socket,
    conntrack::Entry,
    message::{Body, Messages},
    request::kind,
};

/// Multicast groups (`enum nfnetlink_groups` in include/uapi/linux/netfilter/nfnetlink.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Group {
    /// Entries that came into the table.
    New = 1,
    /// Entries that changed.
    Update = 2,
    /// Entries that went.
    Destroy = 3,
    /// Expectations that came.
    ExpectNew = 4,
    /// Expectations that changed; the kernel has no such event today.
    ExpectUpdate = 5,
    /// Expectations that went.
    ExpectDestroy = 6,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It came into the table.
    New,
    /// It changed.
    Update,
    /// It went.
    Destroy,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What happened.
    pub kind: Kind,
    /// The entry. Of what did not change the kernel tells little.
    pub entry: &'a Entry<'a>,
    /// The netlink port of whoever caused it; 0 where it was no netlink request.
    pub port: u32,
}

/// Waits for the next datagram and hands its events over. A loss is [`Error::Overrun`]; the socket goes on working
/// after it.
pub async fn next(
    socket: &mut Socket,
    take: impl FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    let datagram = socket.receive().await?;
    read(&datagram, take)
}

/// Hands a datagram's events over.
pub fn read(
    datagram: &[u8],
    mut take: impl FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    for message in Messages::new(datagram) {
        let message = message?;
        let (message_type, payload) = match message.body {
            Body::Data {
                message_type,
                payload,
            } => (message_type, payload),
            Body::Overrun => {
                return Err(Error::Overrun {
                    hint: "events are missing",
                });
            }
            _ => continue,
        };
        let kind = match message_type {
            kind::NEW if message.flags & NLM_F_CREATE != 0 => Kind::New,
            kind::NEW => Kind::Update,
            kind::DELETE => Kind::Destroy,
            _ => continue,
        };
        let event = Event {
            kind,
            entry: &Entry::parse(payload)?,
            port: message.port,
        };
        if take(event).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
