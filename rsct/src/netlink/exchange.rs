//! Requests with few answers.

use super::{
    Error, Socket,
    message::{Body, Messages},
};

/// Converts the kernel's refusal of an operation, by its errno and message, into an error.
type ToError = fn(&'static str, i32, Option<String>) -> Error;

/// Sends a request and passes on the payload of each answer until the last.
pub(super) async fn answers(
    socket: &mut Socket,
    operation: &'static str,
    request: impl FnOnce(u32) -> Vec<u8>,
    take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    answers_of(socket, operation, Error::refused, request, take).await
}

/// Like [`answers`], for subsystems whose errnos have their own meanings.
pub(super) async fn answers_of(
    socket: &mut Socket,
    operation: &'static str,
    refused: ToError,
    request: impl FnOnce(u32) -> Vec<u8>,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let sequence = socket.next_sequence();
    socket.send(&request(sequence)).await?;
    loop {
        let datagram = socket.receive().await?;
        for message in Messages::new(&datagram) {
            let message = message?;
            // Skip answers to earlier requests on this socket and messages of other senders.
            if message.sequence != sequence || message.port != socket.port() {
                continue;
            }
            match message.body {
                Body::Data { payload, .. } => take(payload)?,
                Body::Noop => {}
                Body::Overrun => {
                    return Err(Error::Overrun {
                        hint: "the data read so far is incomplete",
                    });
                }
                Body::End { errno: 0, .. } => return Ok(()),
                Body::End { errno, detail } => return Err(refused(operation, errno, detail)),
            }
        }
    }
}

/// Enough for most requests about one entry.
const USUAL_BYTES: usize = 512;

/// Sends a request and waits for its acknowledgement.
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

/// Like [`acknowledged`], for subsystems whose errnos have their own meanings.
pub(super) async fn acknowledged_alone(
    socket: &mut Socket,
    operation: &'static str,
    request: impl FnOnce(u32) -> Vec<u8>,
) -> Result<(), Error> {
    answers_of(socket, operation, Error::refused_plainly, request, |_| Ok(())).await
}
