//! A request to this subsystem and all answers to it.

use std::io;

use bytes::Bytes;

use crate::netlink::{
    Error, Socket,
    message::{Body, Messages},
};

/// Number of attempts at a dump before losses are an error. There are few expectations: one attempt is nearly
/// always enough.
const MAX_TRIES: u32 = 8;

/// The answers to a request.
struct Answer {
    /// Payloads of the answers.
    payloads: Vec<Bytes>,
    /// True if some are missing.
    incomplete: bool,
    errno: i32,
    detail: Option<String>,
}

/// Dumps, repeats an incomplete dump, and returns the payloads of a complete one.
pub(super) async fn dump(
    socket: &mut Socket,
    operation: &'static str,
    request: impl Fn(u32) -> Vec<u8>,
) -> Result<Vec<Bytes>, Error> {
    for _ in 0..MAX_TRIES {
        let answer = request_answer(socket, &request, true).await?;
        if answer.errno != 0 {
            return Err(Error::refused(operation, answer.errno, answer.detail));
        }
        if !answer.incomplete {
            return Ok(answer.payloads);
        }
    }
    Err(Error::Overrun {
        hint: "try again when the machine is less busy",
    })
}

/// Sends a request about one object and returns the kernel's answer.
pub(super) async fn single(
    socket: &mut Socket,
    operation: &'static str,
    request: impl Fn(u32) -> Vec<u8>,
) -> Result<Vec<Bytes>, Error> {
    let answer = request_answer(socket, &request, false).await?;
    match answer.errno {
        0 if answer.incomplete => Err(Error::Overrun {
            hint: "the data read so far is incomplete",
        }),
        0 => Ok(answer.payloads),
        libc::EPERM => Err(Error::NotPermitted { operation }),
        // EINVAL and EOPNOTSUPP have other meanings in this subsystem, so neither shows that there is no
        // ctnetlink.
        errno => Err(Error::Refused {
            operation,
            source: io::Error::from_raw_os_error(errno),
            detail: answer.detail,
        }),
    }
}

async fn request_answer(
    socket: &mut Socket,
    request: &impl Fn(u32) -> Vec<u8>,
    is_dump: bool,
) -> Result<Answer, Error> {
    let sequence = socket.next_sequence();
    socket.send(&request(sequence)).await?;
    let mut payloads = Vec::new();
    let mut incomplete = false;
    loop {
        let datagram = match socket.receive().await {
            Ok(datagram) => datagram,
            // The kernel continues a dump; only after its end can a new one begin.
            Err(Error::Overrun { .. }) if is_dump => {
                incomplete = true;
                continue;
            }
            Err(error) => return Err(error),
        };
        for message in Messages::new(&datagram) {
            let message = message?;
            // Skip answers to earlier requests on this socket and messages of other senders.
            if message.sequence != sequence || message.port != socket.port() {
                continue;
            }
            incomplete |= message.interrupted;
            match message.body {
                Body::Data { payload, .. } => payloads.push(datagram.slice_ref(payload)),
                Body::Noop => {}
                Body::Overrun => incomplete = true,
                Body::End { errno, detail } => {
                    return Ok(Answer {
                        payloads,
                        incomplete,
                        errno,
                        detail,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
