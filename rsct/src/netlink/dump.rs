//! Reading the whole table.

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
/// How often a dump is begun before a table that never holds still is an error.
const TRIES: u32 = 8;

/// Which of the kernel's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// The one that packets are looked up in.
    #[default]
    Conntrack,
    /// The same, and every counter is set to zero as it is read.
    ConntrackZeroingCounters,
    /// Entries on their way out whose event could not be delivered yet.
    Dying,
    /// Entries whose first packet is still under way. Since Linux 5.19 the kernel keeps no list of them, and says there
    /// are none.
    Unconfirmed,
}

/// What is to be read: a table, and what the kernel is to leave out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The table.
    pub table: Table,
    /// What the kernel filters. It can do more or less of it, depending on its version, and of the dying and
    /// unconfirmed only the family: whoever asks has to look again.
    pub filter: DumpFilter,
}

impl Query {
    /// The table that packets are looked up in, or one family's part of it.
    pub fn of_family(family: Option<Family>) -> Self {
        Self {
            filter: DumpFilter {
                family,
                ..DumpFilter::default()
            },
            ..Self::default()
        }
    }

    /// The same with nothing for the kernel to filter but the family.
    #[must_use]
    pub fn with_family_alone(&self) -> Self {
        Self {
            table: self.table,
            ..Self::of_family(self.filter.family)
        }
    }

    /// The request's bytes.
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

/// Takes the entries of a dump.
pub trait Sink {
    /// A dump begins. Sinks that take more than one after the other have to tell them apart: a restart is of the last.
    fn begin(&mut self) {}

    /// Takes one entry. Breaking ends the dump; its socket is of no further use then.
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()>;

    /// The dump begins anew because the last try is incomplete: everything taken since it began is to be
    /// forgotten. A sink that can't forget says `false`, and the dump fails.
    fn restart(&mut self) -> bool;
}

/// How a dump went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Entries in the dump that was kept.
    pub entries: u64,
    /// Dumps thrown away because the table changed under the kernel's hands (`NLM_F_DUMP_INTR`).
    pub interrupted: u32,
    /// Dumps thrown away because messages were lost (ENOBUFS).
    pub overrun: u32,
    /// The sink had enough before the end.
    pub stopped: bool,
}

/// Dumps a table of the socket's namespace into a sink.
///
/// An incomplete dump is taken again, a bounded number of times. The kernel reaps expired entries
/// while it dumps (ctnetlink_dump_table()), so a dump is not without effect on the table.
pub async fn entries(socket: &mut Socket, query: &Query, sink: &mut impl Sink) -> Result<Outcome, Error> {
    entries_from(socket, query, None, sink).await
}

/// The same for a caller that has nothing else to do: a thread receives while the sink works on what came before,
/// and the calling thread sleeps where there is nothing yet.
pub async fn entries_ahead(
    socket: &mut Socket,
    query: &Query,
    sink: &mut impl Sink,
) -> Result<Outcome, Error> {
    begin(socket, query)?.entries(sink).await
}

/// Begins such a dump and comes back at once. A thread receives as much as it has room for, so that the kernel looks
/// through its table while another dump is taken in. Where the limits on descriptors and processes leave none for a
/// thread, the calling one receives.
pub fn begin<'a>(socket: &'a mut Socket, query: &Query) -> Result<Begun<'a>, Error> {
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
pub struct Begun<'a> {
    source: Receiving<'a>,
    query: Query,
    sequence: u32,
}

impl Begun<'_> {
    /// Takes it in.
    pub async fn entries(&mut self, sink: &mut impl Sink) -> Result<Outcome, Error> {
        entries_from(&mut self.source, &self.query, Some(self.sequence), sink).await
    }

    /// Begins another in its place, which has ended.
    pub async fn ask(&mut self, query: &Query) -> Result<(), Error> {
        self.sequence = self.source.ask(query).await?;
        self.query = *query;
        Ok(())
    }
}

/// Who receives a dump that has begun.
enum Receiving<'a> {
    /// A thread.
    Ahead(ahead::Ahead<'a>),
    /// The caller.
    Here(&'a mut Socket),
}

/// A datagram, lent or owned.
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

    async fn ask(&mut self, query: &Query) -> Result<u32, Error> {
        match self {
            Self::Ahead(ahead) => ahead.ask(query).await,
            Self::Here(socket) => socket.ask(query).await,
        }
    }

    async fn next(&mut self) -> Result<impl Deref<Target = [u8]>, Error> {
        Ok(match self {
            Self::Ahead(ahead) => Datagram::Ahead(ahead.next().await?),
            Self::Here(socket) => Datagram::Here(socket.receive().await?),
        })
    }
}

/// Where the answers to a request come from.
trait Source {
    /// The port that they carry.
    fn port(&self) -> u32;
    /// Sends the request with a sequence number of its own, which is returned.
    async fn ask(&mut self, query: &Query) -> Result<u32, Error>;
    /// The next datagram.
    async fn next(&mut self) -> Result<impl Deref<Target = [u8]>, Error>;
}

impl Source for Socket {
    fn port(&self) -> u32 {
        Self::port(self)
    }

    async fn ask(&mut self, query: &Query) -> Result<u32, Error> {
        let sequence = self.next_sequence();
        self.send(&query.request(sequence)).await?;
        Ok(sequence)
    }

    async fn next(&mut self) -> Result<impl Deref<Target = [u8]>, Error> {
        self.receive().await
    }
}

/// Of the first request, `asked` is the sequence number if it was sent already.
async fn entries_from(
    source: &mut impl Source,
    query: &Query,
    mut asked: Option<u32>,
    sink: &mut impl Sink,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    sink.begin();
    loop {
        outcome.entries = 0;
        let sequence = match asked.take() {
            Some(sequence) => sequence,
            None => source.ask(query).await?,
        };
        let end = once(source, sequence, sink, &mut outcome).await?;
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
        if tries >= TRIES || !sink.restart() {
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

async fn once(
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
            // The kernel goes on with the dump; only once it has ended can a new one begin.
            Err(Error::Overrun { .. }) => {
                overrun = true;
                continue;
            }
            Err(error) => return Err(error),
        };
        for message in Messages::new(&datagram) {
            let message = message?;
            // What was left over from an earlier request on this socket, or was never ours.
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
