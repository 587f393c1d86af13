//! Looks up one entry by its tuple.

use rsct_common::Tuple;

use super::{
    Error, Socket,
    conntrack::{Change, Entry},
    exchange,
    request::{Request, kind},
};

/// Looks up the entry with this tuple in either direction, in a zone; 0 is the default one. Returns whether
/// there is one.
pub(crate) async fn entry(
    socket: &mut Socket,
    tuple: &Tuple,
    zone: u16,
    take: impl FnMut(&Entry<'_>),
) -> Result<bool, Error> {
    let wanted = Change {
        orig: Some(*tuple),
        zone: (zone != 0).then_some(zone),
        ..Change::default()
    };
    match matching(socket, &wanted, take).await {
        Ok(()) => Ok(true),
        Err(error) if error.errno() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Looks up the entry with the original or else the reply tuple of `wanted`, in its zone. The kernel returns
/// `ENOENT` if there is none.
pub(crate) async fn matching(
    socket: &mut Socket,
    wanted: &Change<'_>,
    mut take: impl FnMut(&Entry<'_>),
) -> Result<(), Error> {
    exchange::answers(
        socket,
        "getting a conntrack entry",
        |sequence| {
            let mut bytes = Vec::new();
            Request::acknowledged(kind::GET, wanted.family())
                .append(&mut bytes, sequence, |out| wanted.emit(out));
            bytes
        },
        |payload| {
            take(&Entry::parse(payload)?);
            Ok(())
        },
    )
    .await
}
