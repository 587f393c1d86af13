//! Netlink's envelopes: splits a datagram into messages, errors and ends, in place.

use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_DUMP_INTR, NetlinkBuffer};
use thiserror::Error;

use super::attr::Attrs;

const HEADER_BYTES: usize = 16;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
/// Type of an extended acknowledgement's attribute with a message for the user.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// Set in an acknowledgement that does not repeat the request's payload.
const NLM_F_CAPPED: u16 = 0x100;

/// A datagram is not a sequence of netlink messages.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// It ends inside a header.
    #[error("a message's header is cut to {left} of 16 bytes")]
    Header {
        /// Bytes left.
        left: usize,
    },
    /// A message is shorter than its header or longer than the datagram.
    #[error("a message claims {claimed} bytes, but only {left} remain")]
    Length {
        /// Value of its length field.
        claimed: usize,
        /// Bytes left.
        left: usize,
    },
    /// An error or end message lacks the errno.
    #[error("an acknowledgement of {got} bytes is too short for its errno")]
    Ack {
        /// Its size.
        got: usize,
    },
}

/// Content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A message of a subsystem: `struct nfgenmsg`, then attributes.
    Data {
        /// Subsystem in the high byte, the subsystem's message type in the low one.
        message_type: u16,
        /// The bytes after the netlink header.
        payload: &'a [u8],
    },
    /// The last message of a dump, or the answer to a request: 0, or an errno and optionally the kernel's
    /// message.
    End {
        /// The errno, 0 for success.
        errno: i32,
        /// The kernel's message.
        detail: Option<String>,
    },
    /// No operation.
    Noop,
    /// Data was lost.
    Overrun,
}

/// One message of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The sequence number of the answered request; 0 for events.
    pub sequence: u32,
    /// The port of the socket that sent the request.
    pub port: u32,
    /// The header's flags (`NLM_F_*`).
    pub flags: u16,
    /// True if the table changed during the dump.
    pub interrupted: bool,
    /// Its content.
    pub body: Body<'a>,
}

/// An iterator over a datagram's messages; ends after the first error.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Iterates over the messages in these bytes.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, EnvelopeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let left = self.rest.len();
        if left == 0 {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        if left < HEADER_BYTES {
            return Some(Err(EnvelopeError::Header { left }));
        }
        let header = NetlinkBuffer::new(rest);
        let claimed = usize::try_from(header.length()).unwrap_or(usize::MAX);
        if claimed < HEADER_BYTES || claimed > left {
            return Some(Err(EnvelopeError::Length { claimed, left }));
        }
        let payload = &rest[HEADER_BYTES..claimed];
        let body = match header.message_type() {
            NLMSG_NOOP => Body::Noop,
            NLMSG_OVERRUN => Body::Overrun,
            kind @ (NLMSG_ERROR | NLMSG_DONE) => match end(kind, header.flags(), payload) {
                Ok(body) => body,
                Err(error) => return Some(Err(error)),
            },
            message_type => Body::Data {
                message_type,
                payload,
            },
        };
        self.rest = &rest[claimed.next_multiple_of(4).min(left)..];
        Some(Ok(Message {
            sequence: header.sequence_number(),
            port: header.port_number(),
            flags: header.flags(),
            interrupted: header.flags() & NLM_F_DUMP_INTR != 0,
            body,
        }))
    }
}

#[cold]
fn end<'a>(kind: u16, flags: u16, payload: &[u8]) -> Result<Body<'a>, EnvelopeError> {
    let got = payload.len();
    let Some((errno, rest)) = payload.split_first_chunk::<4>() else {
        // The kernel may end a dump without an errno.
        return if kind == NLMSG_DONE && got == 0 {
            Ok(Body::End {
                errno: 0,
                detail: None,
            })
        } else {
            Err(EnvelopeError::Ack { got })
        };
    };
    let errno = i32::from_ne_bytes(*errno).saturating_neg();
    let detail = if flags & NLM_F_ACK_TLVS != 0 {
        detail(kind, flags, rest)
    } else {
        None
    };
    Ok(Body::End { errno, detail })
}

/// Finds the kernel's message after an errno. If it is malformed, only the errno is reported.
fn detail(kind: u16, flags: u16, rest: &[u8]) -> Option<String> {
    // An error repeats the request's header, and its payload too unless capped; an end repeats neither.
    let skip = match kind {
        NLMSG_DONE => 0,
        _ if flags & NLM_F_CAPPED != 0 => HEADER_BYTES,
        _ => {
            let length = u32::from_ne_bytes(*rest.first_chunk()?);
            usize::try_from(length).ok()?.checked_next_multiple_of(4)?
        }
    };
    let words = Attrs::new(rest.get(skip..)?)
        .flatten()
        .find(|attr| attr.kind == NLMSGERR_ATTR_MSG)?;
    Some(String::from_utf8_lossy(words.string()).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message with its header.
    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER_BYTES + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(7u32.to_ne_bytes());
        bytes.extend(9u32.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn bodies(bytes: &[u8]) -> Vec<Body<'_>> {
        Messages::new(bytes).map(|m| m.unwrap().body).collect()
    }

    #[test]
    fn a_datagram_is_split() {
        let mut bytes = message(0x100, 2, &[2, 0, 0, 0, 1]);
        bytes.extend(message(NLMSG_DONE, 2 | NLM_F_DUMP_INTR, &[0; 4]));
        let messages: Vec<_> = Messages::new(&bytes).map(Result::unwrap).collect();
        assert_eq!(
            messages[0].body,
            Body::Data {
                message_type: 0x100,
                payload: &[2, 0, 0, 0, 1]
            }
        );
        assert_eq!(
            (messages[0].sequence, messages[0].port, messages[0].interrupted),
            (7, 9, false)
        );
        assert_eq!(
            messages[1].body,
            Body::End {
                errno: 0,
                detail: None
            }
        );
        assert!(messages[1].interrupted);
    }

    #[test]
    fn an_error_has_the_kernels_message() {
        let request = message(0x101, 0, &[1, 2, 3, 4]);
        let words = [&[11u8, 0, 1, 0][..], b"no way\0\0"].concat();
        let capped = [
            &(-libc::EPERM).to_ne_bytes()[..],
            &request[..HEADER_BYTES],
            &words,
        ]
        .concat();
        let whole = [&(-libc::EPERM).to_ne_bytes()[..], &request, &words].concat();
        let expected = Body::End {
            errno: libc::EPERM,
            detail: Some("no way".to_owned()),
        };
        for (flags, payload) in [(NLM_F_ACK_TLVS | NLM_F_CAPPED, &capped), (NLM_F_ACK_TLVS, &whole)] {
            let bytes = message(NLMSG_ERROR, flags, payload);
            assert_eq!(bodies(&bytes), std::slice::from_ref(&expected));
        }
        let silent = Body::End {
            errno: libc::EPERM,
            detail: None,
        };
        assert_eq!(bodies(&message(NLMSG_ERROR, 0, &whole)), [silent]);
    }

    #[test]
    fn a_malformed_datagram_is_an_error() {
        let whole = message(NLMSG_ERROR, 0, &[0; 20]);
        for length in 1..whole.len() {
            let messages: Vec<_> = Messages::new(&whole[..length]).collect();
            assert!(matches!(messages[..], [Err(_)]), "{length}: {messages:?}");
        }
        assert_eq!(
            Messages::new(&message(NLMSG_ERROR, 0, &[])).next(),
            Some(Err(EnvelopeError::Ack { got: 0 }))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0u16..5, flags: u16) {
            prop_assert!(Messages::new(&bytes).count() <= bytes.len() / HEADER_BYTES + 1);
            let _ = Messages::new(&message(kind, flags, &bytes)).count();
        }
    }
}
