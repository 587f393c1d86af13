//! One entry, asked for by its tuple.

use rsct_common::Tuple;

use super::{Error, Socket, conntrack::Entry, exchange, request};

/// Asks for the entry that has this tuple in either direction, in a zone; 0 is the default one. Says whether
/// there is one.
pub async fn entry(
    socket: &mut Socket,
    tuple: &Tuple,
    zone: u16,
    mut take: impl FnMut(&Entry<'_>),
) -> Result<bool, Error> {
    let asked = exchange::answers(
        socket,
        "getting a conntrack entry",
        |sequence| request::get(tuple, zone, sequence),
        |payload| {
            take(&Entry::parse(payload)?);
            Ok(())
        },
    );
    match asked.await {
        Ok(()) => Ok(true),
        Err(Error::Refused { source, .. }) if source.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}
