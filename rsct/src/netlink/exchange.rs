//! A request and its answers, where they are few.

use super::{
    Error, Socket,
    message::{Body, Messages},
};

/// What the kernel's refusal of an operation means, by its errno and what the kernel said besides.
type Meaning = fn(&'static str, i32, Option<String>) -> Error;

/// Sends a request and hands over the payload of each message that answers it, up to the one that ends them.
pub(super) async fn answers(
    socket: &mut Socket,
    operation: &'static str,
    request: impl FnOnce(u32) -> Vec<u8>,
    take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    answers_of(socket, operation, Error::refused, request, take).await
}

/// [`answers`] of a subsystem whose errnos have meanings of their own.
pub(super) async fn answers_of(
    socket: &mut Socket,
    operation: &'static str,
    refused: Meaning,
    request: impl FnOnce(u32) -> Vec<u8>,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let sequence = socket.next_sequence();
    socket.send(&request(sequence)).await?;
    loop {
        let datagram = socket.receive().await?;
        for message in Messages::new(&datagram) {
            let message = message?;
            // What was left over from an earlier request on this socket, or was never ours.
            if message.sequence != sequence || message.port != socket.port() {
                continue;
            }
            match message.body {
                Body::Data { payload, .. } => take(payload)?,
                Body::Noop => {}
                Body::Overrun => {
                    return Err(Error::Overrun {
                        hint: "what was read so far is incomplete",
                    });
                }
                Body::End { errno: 0, .. } => return Ok(()),
                Body::End { errno, detail } => return Err(refused(operation, errno, detail)),
            }
        }
    }
}

/// Room for a request about one entry, mostly.
const USUAL_BYTES: usize = 512;

/// Sends a request that the kernel answers with nothing but whether it did it.
pub(super) async fn acknowledged(
    socket: &mut Socket,
    operation: &'static str,
    request: impl FnOnce(u32, &mut Vec<u8>),
) -> Result<(), Error> {
    answers(
        socket,
        operation,
        |sequence| {
            let mut datagram = Vec::with_capacity(USUAL_BYTES);
            request(sequence, &mut datagram);
            datagram
        },
        |_| Ok(()),
    )
    .await
}

/// Sends a request of a subsystem whose errnos have meanings of their own, that the kernel answers with nothing but
/// whether it did it.
pub(super) async fn acknowledged_alone(
    socket: &mut Socket,
    operation: &'static str,
    request: impl FnOnce(u32) -> Vec<u8>,
) -> Result<(), Error> {
    answers_of(socket, operation, Error::refused_plainly, request, |_| Ok(())).await
}
