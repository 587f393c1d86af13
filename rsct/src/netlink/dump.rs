//! Dumps the whole table.

mod ahead;

use std::ops::{ControlFlow, Deref};

use super::{
    Error, Socket,
    conntrack::{DumpFilter, Entry},
    message::{Body, Messages},
    request::{Request, kind},
};
use crate::family::Family;

const OPERATION: &str = "dumping the conntrack table";
/// Number of attempts at a dump before a table that keeps changing is an error.
const MAX_TRIES: u32 = 8;

/// A kernel table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Table {
    /// The table in which packets are looked up.
    #[default]
    Conntrack,
    /// The same; each counter is set to zero as it is read.
    ConntrackZeroingCounters,
    /// Deleted entries whose event has not been delivered yet.
    Dying,
    /// Entries whose first packet is still in the stack. Since Linux 5.19 the kernel keeps no list of them,
    /// and the dump is empty.
    Unconfirmed,
}

/// A table to dump, with a filter for the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// The table.
    pub table: Table,
    /// The filter that the kernel applies. Older kernels ignore parts of it, and for dying and unconfirmed
    /// entries all but the family: the caller must check entries again.
    pub filter: DumpFilter,
}

impl Query {
    /// All entries of the main table, or those of one family.
    pub(crate) fn of_family(family: Option<Family>) -> Self {
        Self {
            filter: DumpFilter {
                family,
                ..DumpFilter::default()
            },
            ..Self::default()
        }
    }

    /// The same query with only the family for the kernel to filter by.
    #[must_use]
    pub(crate) fn with_family_alone(&self) -> Self {
        Self {
            table: self.table,
            ..Self::of_family(self.filter.family)
        }
    }

    /// Serializes the request.
    pub(super) fn request(&self, sequence: u32) -> Vec<u8> {
        let message_type = match self.table {
            Table::Conntrack => kind::GET,
            Table::ConntrackZeroingCounters => kind::GET_CTRZERO,
            Table::Dying => kind::GET_DYING,
            Table::Unconfirmed => kind::GET_UNCONFIRMED,
        };
        let family = self.filter.family.map_or(0, |family| family as u8);
        let mut bytes = Vec::new();
        Request::dump(message_type, family).append(&mut bytes, sequence, |out| self.filter.emit(out));
        bytes
    }
}

/// A receiver of a dump's entries.
pub(crate) trait Sink {
    /// A dump begins. A restart affects only the dump that began last.
    fn begin(&mut self) {}

    /// Receives one entry. `Break` ends the dump; its socket cannot be used after that.
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()>;

    /// The dump restarts because the last attempt is incomplete: discard all entries received since it began.
    /// A sink that cannot returns `false`, and the dump fails.
    fn restart(&mut self) -> bool;
}

/// Result of a dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Number of entries in the complete dump.
    pub entries: u64,
    /// Discarded attempts because the table changed during the dump (`NLM_F_DUMP_INTR`).
    pub interrupted: u32,
    /// Discarded attempts because messages were lost (ENOBUFS).
    pub overrun: u32,
    /// True if the sink ended the dump early.
    pub stopped: bool,
}

/// Dumps a table of the socket's namespace into a sink.
///
/// An incomplete dump is repeated, up to a limit. The kernel removes expired entries while it dumps
/// (ctnetlink_dump_table()), so a dump changes the table.
pub(crate) async fn entries(
    socket: &mut Socket,
    query: &Query,
    sink: &mut impl Sink,
) -> Result<Outcome, Error> {
    entries_from(socket, query, None, sink).await
}

/// Begins a dump and returns at once, for callers that may block in [`Begun::entries`]. A thread receives until
/// its buffers are full, so the kernel walks its table while another dump is processed. If the limits on
/// descriptors and processes leave none for a thread, the calling thread receives.
pub(crate) fn begin<'a>(socket: &'a mut Socket, query: &Query) -> Result<Begun<'a>, Error> {
    let sequence = socket.next_sequence();
    let request = query.request(sequence);
    let source = match ahead::Ahead::of(socket, &request) {
        Ok(ahead) => Receiving::Ahead(ahead),
        Err(socket) => {
            socket.send_now(&request)?;
            Receiving::Here(socket)
        }
    };
    Ok(Begun {
        source,
        query: *query,
        sequence,
    })
}

/// A dump that has begun.
pub(crate) struct Begun<'a> {
    source: Receiving<'a>,
    query: Query,
    sequence: u32,
}

impl Begun<'_> {
    /// Passes its entries to a sink.
    pub(crate) async fn entries(&mut self, sink: &mut impl Sink) -> Result<Outcome, Error> {
        entries_from(&mut self.source, &self.query, Some(self.sequence), sink).await
    }

    /// Begins another dump; the previous one must have ended.
    pub(crate) async fn begin(&mut self, query: &Query) -> Result<(), Error> {
        self.sequence = self.source.request(query).await?;
        self.query = *query;
        Ok(())
    }
}

/// The receiver of a dump that has begun.
enum Receiving<'a> {
    /// A separate thread.
    Ahead(ahead::Ahead<'a>),
    /// The calling thread.
    Here(&'a mut Socket),
}

/// A borrowed or an owned datagram.
enum Datagram<A, B> {
    Ahead(A),
    Here(B),
}

impl<A: Deref<Target = [u8]>, B: Deref<Target = [u8]>> Deref for Datagram<A, B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Ahead(datagram) => datagram,
            Self::Here(datagram) => datagram,
        }
    }
}

impl Source for Receiving<'_> {
    fn port(&self) -> u32 {
        match self {
            Self::Ahead(ahead) => ahead.port(),
            Self::Here(socket) => socket.port(),
        }
    }

    async fn request(&mut self, query: &Query) -> Result<u32, Error> {
        match self {
            Self::Ahead(ahead) => ahead.request(query).await,
            Self::Here(socket) => socket.request(query).await,
        }
    }

    async fn next(&mut self) -> Result<impl Deref<Target = [u8]>, Error> {
        Ok(match self {
            Self::Ahead(ahead) => Datagram::Ahead(ahead.next().await?),
            Self::Here(socket) => Datagram::Here(socket.receive().await?),
        })
    }
}

/// A source of answers to a request.
trait Source {
    /// The port that its answers carry.
    fn port(&self) -> u32;
    /// Sends the request with a new sequence number, and returns the number.
    async fn request(&mut self, query: &Query) -> Result<u32, Error>;
    /// The next datagram.
    async fn next(&mut self) -> Result<impl Deref<Target = [u8]>, Error>;
}

impl Source for Socket {
    fn port(&self) -> u32 {
        Self::port(self)
    }

    async fn request(&mut self, query: &Query) -> Result<u32, Error> {
        let sequence = self.next_sequence();
        self.send(&query.request(sequence)).await?;
        Ok(sequence)
    }

    async fn next(&mut self) -> Result<impl Deref<Target = [u8]>, Error> {
        self.receive().await
    }
}

/// `sent` is the sequence number of the first request, if it has been sent already.
async fn entries_from(
    source: &mut impl Source,
    query: &Query,
    mut sent: Option<u32>,
    sink: &mut impl Sink,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    sink.begin();
    loop {
        outcome.entries = 0;
        let sequence = match sent.take() {
            Some(sequence) => sequence,
            None => source.request(query).await?,
        };
        let end = try_once(source, sequence, sink, &mut outcome).await?;
        match end {
            End::Complete => return Ok(outcome),
            End::Stopped => {
                return Ok(Outcome {
                    stopped: true,
                    ..outcome
                });
            }
            End::Interrupted => outcome.interrupted += 1,
            End::Overrun => outcome.overrun += 1,
        }
        let tries = outcome.interrupted + outcome.overrun;
        if tries >= MAX_TRIES || !sink.restart() {
            return Err(match end {
                End::Overrun => Error::Overrun {
                    hint: "try again when the machine is less busy",
                },
                _ => Error::Interrupted { tries },
            });
        }
    }
}

enum End {
    Complete,
    Stopped,
    Interrupted,
    Overrun,
}

async fn try_once(
    source: &mut impl Source,
    sequence: u32,
    sink: &mut impl Sink,
    outcome: &mut Outcome,
) -> Result<End, Error> {
    let port = source.port();
    let mut interrupted = false;
    let mut overrun = false;
    loop {
        let datagram = match source.next().await {
            Ok(datagram) => datagram,
            // The kernel continues the dump; only after its end can a new one begin.
            Err(Error::Overrun { .. }) => {
                overrun = true;
                continue;
            }
            Err(error) => return Err(error),
        };
        for message in Messages::new(&datagram) {
            let message = message?;
            // Skip answers to earlier requests on this socket and messages of other senders.
            if message.sequence != sequence || message.port != port {
                continue;
            }
            interrupted |= message.interrupted;
            match message.body {
                Body::Data {
                    message_type: kind::NEW,
                    payload,
                } if !interrupted && !overrun => {
                    outcome.entries += 1;
                    if sink.entry(&Entry::parse(payload)?).is_break() {
                        return Ok(End::Stopped);
                    }
                }
                Body::Data { .. } | Body::Noop => {}
                Body::Overrun => overrun = true,
                Body::End { errno: 0, .. } => {
                    return Ok(match (interrupted, overrun) {
                        (true, _) => End::Interrupted,
                        (false, true) => End::Overrun,
                        (false, false) => End::Complete,
                    });
                }
                Body::End { errno, detail } => return Err(Error::refused(OPERATION, errno, detail)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
