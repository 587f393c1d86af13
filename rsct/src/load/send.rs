//! Sending of requests in batches, and the result of each line.

use super::{Chunk, Command, Request};
use crate::family::Family;
use crate::netlink::{
    Error, Socket,
    batch::Batch,
    change::{self, Operation},
    conntrack::{Change, DumpFilter},
    lookup,
};

/// Number of lines by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoadCounts {
    /// Entries created.
    pub created: u64,
    /// Entries to create that existed already, which `-A` allows.
    pub there: u64,
    /// Entries updated.
    pub updated: u64,
    /// Entries deleted.
    pub deleted: u64,
    /// Flushes.
    pub flushes: u64,
    /// Failed lines.
    pub failed: u64,
}

impl LoadCounts {
    /// Number of successful lines.
    pub(crate) fn done(&self) -> u64 {
        self.created + self.there + self.updated + self.deleted + self.flushes
    }

    /// Counts a successful line.
    pub(crate) fn count(&mut self, command: Command) {
        *match command {
            Command::Create | Command::Add => &mut self.created,
            Command::Update => &mut self.updated,
            Command::Delete => &mut self.deleted,
            Command::Flush => &mut self.flushes,
        } += 1;
    }
}

/// A line that the kernel refused.
#[derive(Debug)]
pub(crate) struct Undone<'a> {
    /// The line's number.
    pub line: u64,
    /// The operation; `None` for a flush.
    pub operation: Option<Operation>,
    /// The request.
    pub change: Change<'a>,
    /// The kernel's error.
    pub error: Error,
    /// Number of lines that succeeded before it, and after it in the same batch.
    pub before: u64,
    /// See [`before`](Self::before).
    pub behind: u64,
}

/// Sends chunks and counts the results.
#[derive(Debug)]
pub(crate) struct Sender {
    batch: Batch<usize>,
    /// Counts so far.
    pub tally: LoadCounts,
}

impl Sender {
    /// A sender for this socket.
    pub(crate) fn new(socket: &Socket) -> Result<Self, Error> {
        Ok(Self {
            batch: Batch::new(socket)?,
            tally: LoadCounts::default(),
        })
    }

    /// Sends a chunk and returns the refused lines in order. Lines are sent in batches, so lines after a refused one
    /// may have been applied. With `stop`, no batch follows a refused line.
    pub(crate) async fn send<'a>(
        &mut self,
        socket: &mut Socket,
        chunk: &'a Chunk,
        stop: bool,
    ) -> Result<Vec<Undone<'a>>, Error> {
        let mut undone: Vec<Undone<'a>> = Vec::new();
        let requests: Vec<(Request, &[u8])> = chunk.requests().collect();
        for (index, (request, attributes)) in requests.iter().enumerate() {
            match request.operation() {
                Some(operation) => {
                    self.batch
                        .push_attributes(socket, operation, request.family, attributes, index);
                }
                None => {
                    self.exchange(socket, &requests, &mut undone).await?;
                    if stop && !undone.is_empty() {
                        break;
                    }
                    self.flush(socket, request, &mut undone).await?;
                }
            }
            if self.batch.is_full() {
                self.exchange(socket, &requests, &mut undone).await?;
            }
            if stop && !undone.is_empty() {
                break;
            }
        }
        self.exchange(socket, &requests, &mut undone).await?;
        Ok(undone)
    }

    async fn exchange<'a>(
        &mut self,
        socket: &mut Socket,
        requests: &[(Request, &'a [u8])],
        undone: &mut Vec<Undone<'a>>,
    ) -> Result<(), Error> {
        let tally = &mut self.tally;
        let mut refused: Vec<(usize, Error, u64)> = Vec::new();
        self.batch
            .send(socket, |index: usize, result| {
                let (request, _) = requests[index];
                match result {
                    Ok(()) => tally.count(request.command),
                    Err(error) if request.command == Command::Add && error.errno() == Some(libc::EEXIST) => {
                        tally.there += 1;
                    }
                    Err(error) => refused.push((index, error, tally.done())),
                }
            })
            .await?;
        let done = self.tally.done();
        for (index, error, before) in refused {
            let (request, attributes) = requests[index];
            let Ok(change) = Change::parse(attributes) else {
                continue;
            };
            if request.command == Command::Update
                && error.errno() == Some(libc::EBUSY)
                && with_its_own_status(socket, &change).await?
            {
                self.tally.updated += 1;
                continue;
            }
            self.tally.failed += 1;
            undone.push(Undone {
                line: request.line,
                operation: request.operation(),
                change,
                error,
                before,
                behind: done - before,
            });
        }
        Ok(())
    }

    async fn flush<'a>(
        &mut self,
        socket: &mut Socket,
        request: &Request,
        undone: &mut Vec<Undone<'a>>,
    ) -> Result<(), Error> {
        let filter = DumpFilter {
            family: Family::from_number(request.family.into()),
            ..DumpFilter::default()
        };
        let before = self.tally.done();
        match change::flush(socket, &filter).await {
            Ok(()) => self.tally.flushes += 1,
            Err(error) => {
                self.tally.failed += 1;
                undone.push(Undone {
                    line: request.line,
                    operation: None,
                    change: Change::default(),
                    error,
                    before,
                    behind: 0,
                });
            }
        }
        Ok(())
    }
}

/// The kernel rejects a status that lacks a bit of the entry: retries with the entry's own bits. Returns whether that
/// succeeded.
async fn with_its_own_status(socket: &mut Socket, change: &Change<'_>) -> Result<bool, Error> {
    let Some(bits) = change.status else {
        return Ok(false);
    };
    let key = Change {
        orig: change.orig,
        zone_orig: change.zone_orig,
        reply: change.reply,
        zone_reply: change.zone_reply,
        zone: change.zone,
        ..Change::default()
    };
    let mut own = None;
    match lookup::matching(socket, &key, |entry| own = entry.status).await {
        Ok(()) => {}
        Err(error) if error.errno().is_some() => return Ok(false),
        Err(error) => return Err(error),
    }
    let again = Change {
        status: own.map(|own| own | bits),
        ..change.clone()
    };
    match change::apply(socket, Operation::Update, &again).await {
        Ok(()) => Ok(true),
        Err(error) if error.errno().is_some() => Ok(false),
        Err(error) => Err(error),
    }
}
