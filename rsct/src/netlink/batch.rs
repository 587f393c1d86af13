//! Creates, changes or deletes many entries with few system calls.
//!
//! The kernel processes a datagram of requests before `send` returns, and answers only those that failed. The
//! last one requests an acknowledgement: once that has been received, so has every error before it.

use super::{
    Error, Socket,
    change::Operation,
    conntrack::Change,
    emit::Emitter,
    message::{Body, Messages},
    socket::next_after,
};

/// Limit on requests per datagram. If the kernel refused all of them, the answers would still fit the receive
/// buffer that [`Batch::new`] sets.
const MAX_REQUESTS: usize = 512;
/// Limit on a datagram's size; the kernel accepts the size of the send buffer, 208 KiB by default.
const MAX_BYTES: usize = 128 * 1024;
const RECEIVE_BYTES: usize = 2 * 1024 * 1024;

/// Requests to be sent together.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    datagram: Vec<u8>,
    /// Offset of the last request.
    last_begins: usize,
    /// Sequence number of the first request; the others' follow.
    first_sequence: u32,
    /// Each request's operation and the caller's token for it.
    waiting: Vec<(Operation, T)>,
}

impl<T> Batch<T> {
    /// Creates an empty batch, and sets the socket's receive buffer large enough for the answers.
    pub(crate) fn new(socket: &Socket) -> Result<Self, Error> {
        socket.set_receive_buffer(RECEIVE_BYTES)?;
        Ok(Self {
            datagram: Vec::with_capacity(MAX_BYTES + 4096),
            last_begins: 0,
            first_sequence: 0,
            waiting: Vec::with_capacity(MAX_REQUESTS),
        })
    }

    /// Adds a request.
    pub(crate) fn push(&mut self, socket: &mut Socket, operation: Operation, change: &Change<'_>, token: T) {
        self.add(socket, operation, change.family(), token, |out| change.emit(out));
    }

    /// Adds a request with attributes that [`Change::emit`] has already written.
    pub(crate) fn push_attributes(
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

    /// Returns whether the batch must be sent before the next request.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_REQUESTS || self.datagram.len() >= MAX_BYTES
    }

    /// Number of requests to be sent.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns whether there are no requests to be sent.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends the requests and calls `outcome` once for each, in order.
    ///
    /// If answers were lost, requests without an answer are reported as [`Error::Unanswered`]. If this
    /// returns an error, the outcome of the requests not yet reported is unknown.
    pub(crate) async fn send(
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
        // The batch is empty after this, even if it fails.
        let mut waiting = self.waiting.drain(..);
        sent?;
        let mut next = self.first_sequence;
        let mut lost = false;
        let mut not_permitted = false;
        while waiting.len() > 0 {
            let datagram = match socket.receive_now() {
                Ok(Some(datagram)) => datagram,
                // All answers have been queued when `send` returns: there will be no more.
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
                // Skip answers to earlier requests on this socket.
                let Some(unanswered_before) =
                    distance(next, message.sequence).filter(|index| *index < waiting.len())
                else {
                    continue;
                };
                for (operation, token) in waiting.by_ref().take(unanswered_before) {
                    // The kernel does not answer requests that succeed, but answers may have been lost.
                    let result = if lost { Err(unanswered(operation)) } else { Ok(()) };
                    outcome(token, result);
                }
                next = next_after(message.sequence);
                if let Some((operation, token)) = waiting.next() {
                    not_permitted |= errno == libc::EPERM;
                    let result = match errno {
                        0 => Ok(()),
                        errno => Err(Error::refused(operation.description(), errno, detail)),
                    };
                    outcome(token, result);
                }
            }
        }
        for (operation, token) in waiting {
            // Without the capability the kernel sends one error for the whole datagram (nfnetlink_rcv()).
            let error = if not_permitted && !lost {
                Error::refused(operation.description(), libc::EPERM, None)
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
        operation: operation.description(),
    }
}

/// Number of sequence numbers from `next` to `later`, counted as in [`next_after`]; `None` for 0.
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
