//! Events about expectations from the kernel.

use super::{Expectation, request::kind};
use crate::netlink::{
    Error, Socket,
    event::Group,
    message::{Body, Message, Messages},
};

/// The groups to subscribe to.
pub(crate) const GROUPS: [Group; 3] = [Group::ExpectNew, Group::ExpectUpdate, Group::ExpectDestroy];

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was created.
    New,
    /// It was matched, expired or was deleted, or its master was destroyed.
    Destroy,
}

impl EventKind {
    /// The kind as a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Destroy => "destroy",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its kind.
    pub kind: EventKind,
    /// The netlink port of the process that caused it; 0 if a packet or a timeout did.
    pub portid: u32,
    /// The expectation.
    pub expectation: Expectation<'a>,
}

impl<'a> Event<'a> {
    /// Parses a message to a listening socket; returns `None` for messages about other things.
    pub fn parse(message: &Message<'a>) -> Result<Option<Self>, Error> {
        let (kind, payload) = match message.body {
            Body::Data {
                message_type: kind::NEW,
                payload,
            } => (EventKind::New, payload),
            Body::Data {
                message_type: kind::DELETE,
                payload,
            } => (EventKind::Destroy, payload),
            Body::Overrun => {
                return Err(Error::Overrun {
                    hint: "events are missing",
                });
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            kind,
            portid: message.port,
            expectation: Expectation::parse(payload)?,
        }))
    }
}

/// Waits for the next datagram and passes on its events. A loss is [`Error::Overrun`]; the socket remains
/// usable after it.
pub(crate) async fn next_events(socket: &mut Socket, mut take: impl FnMut(&Event<'_>)) -> Result<(), Error> {
    let datagram = socket.receive().await?;
    for message in Messages::new(&datagram) {
        if let Some(event) = Event::parse(&message?)? {
            take(&event);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};

    fn message(message_type: u16, payload: &[u8]) -> Message<'_> {
        Message {
            sequence: 0,
            port: 77,
            flags: 0,
            interrupted: false,
            body: Body::Data {
                message_type,
                payload,
            },
        }
    }

    #[test]
    fn both_kinds_are_distinguished_and_others_ignored() {
        let payload = samples::FTP.payload();
        for (message_type, kind) in [(0x200, EventKind::New), (0x202, EventKind::Destroy)] {
            let event = Event::parse(&message(message_type, &payload)).unwrap().unwrap();
            assert_eq!((event.kind, event.portid), (kind, 77));
            assert_eq!(event.expectation, Expectation::parse(&payload).unwrap());
        }
        assert_eq!(Event::parse(&message(0x100, &payload)).unwrap(), None);
        assert!(Event::parse(&message(0x200, &[0; 4])).is_err());
    }
}
