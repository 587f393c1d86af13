//! A dump processed one datagram at a time, so that the caller can send requests over another socket in
//! between.

use bytes::Bytes;

use super::{
    Error, Socket,
    conntrack::Entry,
    dump::Query,
    message::{Body, Messages},
    request::kind,
};

const OPERATION: &str = "dumping the conntrack table";

/// A running dump. It is not repeated if it is incomplete, because the caller has already acted on its
/// entries.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    socket: &'a mut Socket,
    sequence: u32,
    interrupted: bool,
    is_over: bool,
}

impl<'a> Walk<'a> {
    /// Requests the dump.
    pub(crate) async fn begin(socket: &'a mut Socket, query: &Query) -> Result<Self, Error> {
        let sequence = socket.next_sequence();
        socket.send(&query.request(sequence)).await?;
        Ok(Self {
            socket,
            sequence,
            interrupted: false,
            is_over: false,
        })
    }

    /// Waits for the next datagram and passes on its entries; returns whether there may be more.
    pub(crate) async fn next(&mut self, mut take: impl FnMut(&Entry<'_>)) -> Result<bool, Error> {
        if self.is_over {
            return Ok(false);
        }
        let datagram: Bytes = self.socket.receive().await?;
        for message in Messages::new(&datagram) {
            let message = message?;
            // Skip answers to earlier requests on this socket and messages of other senders.
            if message.sequence != self.sequence || message.port != self.socket.port() {
                continue;
            }
            self.interrupted |= message.interrupted;
            match message.body {
                Body::Data {
                    message_type: kind::NEW,
                    payload,
                } => take(&Entry::parse(payload)?),
                Body::Data { .. } | Body::Noop => {}
                Body::Overrun => {
                    return Err(Error::Overrun {
                        hint: "the data read so far is incomplete",
                    });
                }
                Body::End { errno: 0, .. } => self.is_over = true,
                Body::End { errno, detail } => return Err(Error::refused(OPERATION, errno, detail)),
            }
        }
        if self.is_over && self.interrupted {
            return Err(Error::Interrupted { tries: 1 });
        }
        Ok(!self.is_over)
    }
}
