//! Many entries made, changed or deleted with few system calls.
//!
//! The kernel works through a datagram of requests before `send` returns, and answers those that failed. Only the last
//! asks for an acknowledgement: when that is there, every error before it is there too.

use super::{
    Error, Socket,
    change::Operation,
    conntrack::Change,
    emit::Emitter,
    message::{Body, Messages},
    socket::following,
};

/// How many requests are sent at once. Were each of them refused, the answers would still find room in the receive
/// buffer that [`Batch::new`] asks for.
const MOST: usize = 512;
/// How long a datagram may get; the kernel takes what the send buffer holds, 208 KiB unless set otherwise.
const MOST_BYTES: usize = 128 * 1024;
const RECEIVE_BYTES: usize = 2 * 1024 * 1024;

/// Requests that wait to be sent together.
#[derive(Debug)]
pub struct Batch<T> {
    datagram: Vec<u8>,
    /// Where the last request begins.
    last_begins: usize,
    /// The first one's sequence number; the others' follow.
    first_sequence: u32,
    /// What each was and whatever the caller wants to know it by.
    waiting: Vec<(Operation, T)>,
}

impl<T> Batch<T> {
    /// An empty batch for this socket, whose receive buffer is made large enough for the answers.
    pub fn new(socket: &Socket) -> Result<Self, Error> {
        socket.set_receive_buffer(RECEIVE_BYTES)?;
        Ok(Self {
            datagram: Vec::with_capacity(MOST_BYTES + 4096),
            last_begins: 0,
            first_sequence: 0,
            waiting: Vec::with_capacity(MOST),
        })
    }

    /// Adds a request.
    pub fn push(&mut self, socket: &mut Socket, operation: Operation, change: &Change<'_>, token: T) {
        self.add(socket, operation, change.family(), token, |out| change.emit(out));
    }

    /// Adds a request whose attributes have been written already, by [`Change::emit`].
    pub fn push_attributes(
        &mut self,
        socket: &mut Socket,
        operation: Operation,
        family: u8,
        attributes: &[u8],
        token: T,
    ) {
        self.add(socket, operation, family, token, |out| out.written(attributes));
    }

    #[inline]
    fn add(
        &mut self,
        socket: &mut Socket,
        operation: Operation,
        family: u8,
        token: T,
        attributes: impl FnOnce(&mut Emitter<'_>),
    ) {
        let sequence = socket.next_sequence();
        if self.waiting.is_empty() {
            self.first_sequence = sequence;
        }
        self.last_begins = self.datagram.len();
        operation
            .request(family)
            .append(&mut self.datagram, sequence, attributes);
        self.waiting.push((operation, token));
    }

    /// Whether it is time to send.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= MOST || self.datagram.len() >= MOST_BYTES
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends what waits and tells of each, in order and once, what came of it.
    ///
    /// Where answers were lost, what came of those without one is not known, and that is what is told of them. Where
    /// this fails, nothing is known of those that were not told of before.
    pub async fn send(
        &mut self,
        socket: &mut Socket,
        mut outcome: impl FnMut(T, Result<(), Error>),
    ) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let flags = &mut self.datagram[self.last_begins + 6..self.last_begins + 8];
        let acknowledged = u16::from_ne_bytes([flags[0], flags[1]]) | netlink_packet_core::NLM_F_ACK;
        flags.copy_from_slice(&acknowledged.to_ne_bytes());
        let sent = socket.send(&self.datagram).await;
        self.datagram.clear();
        // However this ends, none of them waits any more.
        let mut waiting = self.waiting.drain(..);
        sent?;
        let mut next = self.first_sequence;
        let mut lost = false;
        let mut not_permitted = false;
        while waiting.len() > 0 {
            let datagram = match socket.receive_now() {
                Ok(Some(datagram)) => datagram,
                // All answers are there when `send` returns: there will be no others.
                Ok(None) => break,
                Err(Error::Overrun { .. }) => {
                    lost = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for message in Messages::new(&datagram) {
                let message = message?;
                let (errno, detail) = match message.body {
                    Body::End { errno, detail } if message.port == socket.port() => (errno, detail),
                    Body::Overrun => {
                        lost = true;
                        continue;
                    }
                    _ => continue,
                };
                // What was left over from an earlier request on this socket is passed over.
                let Some(silent) = distance(next, message.sequence).filter(|index| *index < waiting.len())
                else {
                    continue;
                };
                for (operation, token) in waiting.by_ref().take(silent) {
                    // Those that the kernel passed over in silence went well, unless it couldn't be heard.
                    let result = if lost { Err(unanswered(operation)) } else { Ok(()) };
                    outcome(token, result);
                }
                next = following(message.sequence);
                if let Some((operation, token)) = waiting.next() {
                    not_permitted |= errno == libc::EPERM;
                    let result = match errno {
                        0 => Ok(()),
                        errno => Err(Error::refused(operation.doing(), errno, detail)),
                    };
                    outcome(token, result);
                }
            }
        }
        for (operation, token) in waiting {
            // To somebody without the capability the kernel says so once for the whole datagram (nfnetlink_rcv()).
            let error = if not_permitted && !lost {
                Error::refused(operation.doing(), libc::EPERM, None)
            } else {
                unanswered(operation)
            };
            outcome(token, Err(error));
        }
        Ok(())
    }
}

fn unanswered(operation: Operation) -> Error {
    Error::Unanswered {
        operation: operation.doing(),
    }
}

/// How many sequence numbers a later one is away from the next that is due, as [`following`] counts: 0 is none.
fn distance(next: u32, later: u32) -> Option<usize> {
    let steps = match later {
        0 => return None,
        later if later >= next => later - next,
        wrapped => wrapped.wrapping_sub(next) - 1,
    };
    usize::try_from(steps).ok()
}

#[cfg(test)]
mod tests;
