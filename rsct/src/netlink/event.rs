//! Events about entries from the kernel.

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
pub(crate) enum Group {
    /// New entries.
    New = 1,
    /// Updates of entries.
    Update = 2,
    /// Destroyed entries.
    Destroy = 3,
    /// New expectations.
    ExpectNew = 4,
    /// Updates of expectations; current kernels send none.
    ExpectUpdate = 5,
    /// Destroyed expectations.
    ExpectDestroy = 6,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The entry is new.
    New,
    /// The entry changed.
    Update,
    /// The entry was destroyed.
    Destroy,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its kind.
    pub kind: Kind,
    /// The entry. The kernel sends few of the fields that did not change.
    pub entry: &'a Entry<'a>,
    /// The netlink port of the process that caused it; 0 if no netlink request did.
    pub port: u32,
}

/// Waits for the next datagram and passes on its events. A loss is [`Error::Overrun`]; the socket remains
/// usable after it.
pub(crate) async fn next(
    socket: &mut Socket,
    take: impl FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    let datagram = socket.receive().await?;
    read(&datagram, take)
}

/// Passes on a datagram's events.
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
