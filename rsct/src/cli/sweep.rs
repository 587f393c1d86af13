//! Deletes or changes entries while the table is read: a worker thread sends the requests on its own socket while the
//! calling thread reads the dump.

use std::{
    os::fd::AsFd as _,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread::JoinHandle,
};

use anyhow::Context as _;

use super::printer::Printer;
use crate::{
    kernel::{limits, netns::Netns},
    netlink::{
        Error, Socket,
        batch::Batch,
        change::Operation,
        conntrack::{Change, Entry},
        emit::Emitter,
        lookup,
    },
    waiting,
};

/// Entries in a chunk.
const CHUNK: usize = 256;
/// Number of chunks: one is filled, one is processed, and a third keeps both threads busy.
const CHUNKS: usize = 3;
/// A dump sends an entry twice if the entry at which it resumes has been deleted (ctnetlink_dump_table() restarts the
/// bucket); the two are at most this many entries apart.
const NEAR: usize = 2048;

/// Outcomes of the requests.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Swept {
    /// Entries that were deleted or changed.
    pub done: u64,
    /// Entries that had disappeared before the request.
    pub vanished: u64,
    /// Entries that the kernel refused to change.
    pub refused: u64,
    /// Original direction of the first refused entry, and its errno.
    pub first_refused: Option<(Change<'static>, i32)>,
}

impl Swept {
    /// Returns whether there were no entries.
    pub(super) fn is_empty(&self) -> bool {
        self.done + self.vanished + self.refused == 0
    }

    fn add(&mut self, other: Self) {
        self.done += other.done;
        self.vanished += other.vanished;
        self.refused += other.refused;
        self.first_refused = self.first_refused.take().or(other.first_refused);
    }
}

/// Some entries: their requests, their text, and the outcomes.
#[derive(Default)]
struct Chunk {
    /// Attributes of all requests, and the end of each.
    attributes: Vec<u8>,
    ends: Vec<usize>,
    families: Vec<u8>,
    keys: Vec<Key>,
    /// Text of all entries and the end of each; with `refetches`, their messages.
    shown: Vec<u8>,
    shown_ends: Vec<usize>,
    /// Outcome of each request: 0 or an errno.
    outcomes: Vec<i32>,
}

/// Identifies an entry in an error message.
struct Key {
    orig: rsct_common::Tuple,
    zone: Option<u16>,
    id: Option<u32>,
}

impl Chunk {
    fn clear(&mut self) {
        self.attributes.clear();
        self.ends.clear();
        self.families.clear();
        self.keys.clear();
        self.shown.clear();
        self.shown_ends.clear();
        self.outcomes.clear();
    }

    /// The part of `bytes` with this number.
    fn part<'a>(bytes: &'a [u8], ends: &[usize], number: usize) -> &'a [u8] {
        let begin = number.checked_sub(1).map_or(0, |before| ends[before]);
        &bytes[begin..ends[number]]
    }
}

/// A sweep in progress.
pub(super) struct Sweep {
    filling: Chunk,
    empty: Vec<Chunk>,
    to_worker: Option<SyncSender<Chunk>>,
    from_worker: Receiver<Chunk>,
    worker: Option<JoinHandle<anyhow::Result<()>>>,
    refetches: bool,
    near: Vec<u32>,
    swept: Swept,
}

impl Sweep {
    /// Starts a sweep in a namespace; the current one needs no privileges. With `refetches`, prints each entry as it is
    /// after the change.
    pub(super) fn begin(
        netns: &Netns,
        is_current: bool,
        operation: Operation,
        refetches: bool,
    ) -> anyhow::Result<Self> {
        let socket = if is_current {
            Socket::open()?
        } else {
            Socket::open_in(netns.as_fd())?
        };
        let batch = Batch::new(&socket)?;
        let (to_worker, taken) = sync_channel(CHUNKS);
        let (give, from_worker) = channel();
        let worker = std::thread::Builder::new()
            .name("rsct-change".into())
            .spawn(move || work(socket, batch, operation, refetches, &taken, &give))
            .map_err(limits::no_thread)
            .context("starting a thread to change entries")?;
        Ok(Self {
            filling: Chunk::default(),
            empty: (1..CHUNKS).map(|_| Chunk::default()).collect(),
            to_worker: Some(to_worker),
            from_worker,
            worker: Some(worker),
            refetches,
            near: Vec::with_capacity(NEAR),
            swept: Swept::default(),
        })
    }

    /// Queues the request for an entry. Returns `false` if the worker has failed.
    pub(super) fn entry(
        &mut self,
        entry: &Entry<'_>,
        change: &Change<'_>,
        printer: &mut Printer<'_>,
        netns: &Netns,
    ) -> bool {
        let chunk = &mut self.filling;
        change.emit(&mut Emitter::new(&mut chunk.attributes));
        chunk.ends.push(chunk.attributes.len());
        chunk.families.push(change.family());
        chunk.keys.push(Key {
            orig: entry.orig,
            zone: entry.zone,
            id: entry.id,
        });
        if !self.refetches && printer.shows() {
            printer.format(&mut chunk.shown, entry, netns);
        }
        if !self.refetches {
            chunk.shown_ends.push(chunk.shown.len());
        }
        chunk.keys.len() < CHUNK || self.send(printer, netns)
    }

    /// Sends the chunk to the worker, and collects finished ones.
    fn send(&mut self, printer: &mut Printer<'_>, netns: &Netns) -> bool {
        while let Ok(chunk) = self.from_worker.try_recv() {
            self.collect(chunk, printer, netns);
        }
        let next = match self.empty.pop() {
            Some(chunk) => chunk,
            None => match self.from_worker.recv() {
                Ok(chunk) => {
                    self.collect(chunk, printer, netns);
                    self.empty.pop().unwrap_or_default()
                }
                // The worker has failed; joining it returns the error.
                Err(_) => return false,
            },
        };
        let full = std::mem::replace(&mut self.filling, next);
        // The capacity of the channel is the number of chunks, so this does not block.
        self.to_worker
            .as_ref()
            .is_some_and(|to_worker| to_worker.send(full).is_ok())
    }

    /// Counts the outcomes and prints the entries of a finished chunk.
    fn collect(&mut self, mut chunk: Chunk, printer: &mut Printer<'_>, netns: &Netns) {
        for (number, (outcome, key)) in chunk.outcomes.iter().zip(&chunk.keys).enumerate() {
            match *outcome {
                0 => {
                    self.swept.done += 1;
                    self.near.extend(key.id);
                    self.show(&chunk, number, printer, netns);
                }
                libc::ENOENT => {
                    let was_sent_twice = key.id.is_some_and(|id| self.near.contains(&id));
                    self.swept.vanished += u64::from(!was_sent_twice);
                }
                errno => {
                    self.swept.refused += 1;
                    self.swept.first_refused.get_or_insert_with(|| {
                        let change = Change {
                            orig: Some(key.orig),
                            zone: key.zone,
                            ..Change::default()
                        };
                        (change, errno)
                    });
                }
            }
        }
        if self.near.len() > NEAR {
            self.near.drain(..self.near.len() - NEAR);
        }
        chunk.clear();
        self.empty.push(chunk);
    }

    fn show(&self, chunk: &Chunk, number: usize, printer: &mut Printer<'_>, netns: &Netns) {
        if !printer.shows() || number >= chunk.shown_ends.len() {
            return;
        }
        let shown = Chunk::part(&chunk.shown, &chunk.shown_ends, number);
        if !self.refetches {
            printer.formatted(shown);
        } else if let Ok(entry) = Entry::parse(shown) {
            // The message is empty if the entry had disappeared.
            printer.entry(&entry, netns);
        }
    }

    /// Waits for all requests, and adds the outcomes to a sum, also before an error.
    pub(super) fn finish(
        mut self,
        printer: &mut Printer<'_>,
        netns: &Netns,
        sum: &mut Swept,
    ) -> anyhow::Result<()> {
        if !self.filling.keys.is_empty() {
            self.send(printer, netns);
        }
        self.to_worker = None;
        while let Ok(chunk) = self.from_worker.recv() {
            self.collect(chunk, printer, netns);
        }
        sum.add(std::mem::take(&mut self.swept));
        match self.worker.take() {
            Some(worker) => worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => Ok(()),
        }
    }
}

/// The worker thread.
fn work(
    mut socket: Socket,
    mut batch: Batch<()>,
    operation: Operation,
    refetches: bool,
    taken: &Receiver<Chunk>,
    give: &Sender<Chunk>,
) -> anyhow::Result<()> {
    waiting::block_on(async {
        while let Ok(mut chunk) = taken.recv() {
            request(&mut socket, &mut batch, operation, &mut chunk).await?;
            if refetches {
                refetch(&mut socket, &mut chunk).await?;
            }
            if give.send(chunk).is_err() {
                break;
            }
        }
        Ok(())
    })
}

async fn request(
    socket: &mut Socket,
    batch: &mut Batch<()>,
    operation: Operation,
    chunk: &mut Chunk,
) -> Result<(), Error> {
    let Chunk {
        attributes,
        ends,
        families,
        outcomes,
        ..
    } = chunk;
    let mut outcome = |(), result: Result<(), Error>| {
        outcomes.push(match result {
            Ok(()) => 0,
            Err(error) => error.errno().unwrap_or(libc::EIO),
        });
    };
    for (number, family) in families.iter().enumerate() {
        let attributes = Chunk::part(attributes, ends, number);
        batch.push_attributes(socket, operation, *family, attributes, ());
        if batch.is_full() {
            batch.send(socket, &mut outcome).await?;
        }
    }
    batch.send(socket, &mut outcome).await
}

/// Fetches each entry that was changed.
async fn refetch(socket: &mut Socket, chunk: &mut Chunk) -> Result<(), Error> {
    for number in 0..chunk.keys.len() {
        if chunk.outcomes.get(number) == Some(&0) {
            let attributes = Chunk::part(&chunk.attributes, &chunk.ends, number);
            let Ok(sent) = Change::parse(attributes) else {
                continue;
            };
            let wanted = Change {
                orig: sent.orig,
                zone_orig: sent.zone_orig,
                zone: sent.zone,
                ..Change::default()
            };
            let shown = &mut chunk.shown;
            let looked = lookup::matching(socket, &wanted, |entry| {
                // As the kernel sent it: nfgenmsg, whose content the attributes repeat, and the attributes.
                shown.extend_from_slice(&[0; 4]);
                entry.emit(&mut Emitter::new(shown));
            });
            match looked.await {
                Ok(()) => {}
                Err(error) if error.errno() == Some(libc::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        chunk.shown_ends.push(chunk.shown.len());
    }
    Ok(())
}
