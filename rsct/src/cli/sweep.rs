//! Entries that are deleted or changed while the table is read: one thread asks for it, over a socket of its own, while
//! the other reads on.

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

/// How many entries go together.
const CHUNK: usize = 256;
/// How many chunks are under way: one is filled, one is worked on, the third keeps neither side waiting.
const CHUNKS: usize = 3;
/// A dump tells of an entry twice where the one at which it went on is deleted meanwhile (ctnetlink_dump_table()
/// begins the bucket anew); the two then are this close together.
const NEAR: usize = 2048;

/// What became of the entries.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Swept {
    /// Deleted or changed.
    pub done: u64,
    /// Gone before it was their turn.
    pub gone: u64,
    /// Refused by the kernel.
    pub refused: u64,
    /// The first that was refused, by its original direction, and the error's number.
    pub first_refused: Option<(Change<'static>, i32)>,
}

impl Swept {
    /// Whether there were no entries.
    pub(super) fn is_empty(&self) -> bool {
        self.done + self.gone + self.refused == 0
    }

    fn add(&mut self, other: Self) {
        self.done += other.done;
        self.gone += other.gone;
        self.refused += other.refused;
        self.first_refused = self.first_refused.take().or(other.first_refused);
    }
}

/// Some entries: what is to be asked for each, and how they look.
#[derive(Default)]
struct Chunk {
    /// One request's attributes behind the other's, and where each ends.
    attributes: Vec<u8>,
    ends: Vec<usize>,
    families: Vec<u8>,
    keys: Vec<Key>,
    /// Each one's text, and where it ends; where entries are looked at again, the message instead.
    shown: Vec<u8>,
    shown_ends: Vec<usize>,
    /// What came of each: an error's number, or 0.
    outcomes: Vec<i32>,
}

/// What an entry is told by if something goes wrong.
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

    /// The part of `bytes` that is the one of this number.
    fn part<'a>(bytes: &'a [u8], ends: &[usize], number: usize) -> &'a [u8] {
        let begin = number.checked_sub(1).map_or(0, |before| ends[before]);
        &bytes[begin..ends[number]]
    }
}

/// A sweep under way.
pub(super) struct Sweep {
    filling: Chunk,
    empty: Vec<Chunk>,
    to_worker: Option<SyncSender<Chunk>>,
    from_worker: Receiver<Chunk>,
    worker: Option<JoinHandle<anyhow::Result<()>>>,
    looks_again: bool,
    near: Vec<u32>,
    swept: Swept,
}

impl Sweep {
    /// Begins one in a namespace; the current one is entered without rights. `looks_again`: what is shown is how the
    /// kernel has the entry then.
    pub(super) fn begin(
        netns: &Netns,
        is_current: bool,
        operation: Operation,
        looks_again: bool,
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
            .spawn(move || work(socket, batch, operation, looks_again, &taken, &give))
            .map_err(limits::no_thread)
            .context("starting a thread to change entries")?;
        Ok(Self {
            filling: Chunk::default(),
            empty: (1..CHUNKS).map(|_| Chunk::default()).collect(),
            to_worker: Some(to_worker),
            from_worker,
            worker: Some(worker),
            looks_again,
            near: Vec::with_capacity(NEAR),
            swept: Swept::default(),
        })
    }

    /// Takes an entry that is meant, and what is to be asked for it. Says `false` where it is of no use to go on.
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
        if !self.looks_again && printer.shows() {
            printer.format(&mut chunk.shown, entry, netns);
        }
        if !self.looks_again {
            chunk.shown_ends.push(chunk.shown.len());
        }
        chunk.keys.len() < CHUNK || self.hand_over(printer, netns)
    }

    /// Gives the chunk away and takes what has been worked on.
    fn hand_over(&mut self, printer: &mut Printer<'_>, netns: &Netns) -> bool {
        while let Ok(chunk) = self.from_worker.try_recv() {
            self.take_back(chunk, printer, netns);
        }
        let next = match self.empty.pop() {
            Some(chunk) => chunk,
            None => match self.from_worker.recv() {
                Ok(chunk) => {
                    self.take_back(chunk, printer, netns);
                    self.empty.pop().unwrap_or_default()
                }
                // The worker has ended, and says why when it is asked.
                Err(_) => return false,
            },
        };
        let full = std::mem::replace(&mut self.filling, next);
        // The channel has room for every chunk there is: this does not wait.
        self.to_worker
            .as_ref()
            .is_some_and(|to_worker| to_worker.send(full).is_ok())
    }

    /// Counts and shows.
    fn take_back(&mut self, mut chunk: Chunk, printer: &mut Printer<'_>, netns: &Netns) {
        for (number, (outcome, key)) in chunk.outcomes.iter().zip(&chunk.keys).enumerate() {
            match *outcome {
                0 => {
                    self.swept.done += 1;
                    self.near.extend(key.id);
                    self.show(&chunk, number, printer, netns);
                }
                libc::ENOENT => {
                    let told_twice = key.id.is_some_and(|id| self.near.contains(&id));
                    self.swept.gone += u64::from(!told_twice);
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
        if !self.looks_again {
            printer.formatted(shown);
        } else if let Ok(entry) = Entry::parse(shown) {
            // One that had gone when it was looked at again has left nothing.
            printer.entry(&entry, netns);
        }
    }

    /// Waits for all that is under way, and adds what became of the entries to a sum, also before an error.
    pub(super) fn finish(
        mut self,
        printer: &mut Printer<'_>,
        netns: &Netns,
        sum: &mut Swept,
    ) -> anyhow::Result<()> {
        if !self.filling.keys.is_empty() {
            self.hand_over(printer, netns);
        }
        self.to_worker = None;
        while let Ok(chunk) = self.from_worker.recv() {
            self.take_back(chunk, printer, netns);
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

/// The thread that asks.
fn work(
    mut socket: Socket,
    mut batch: Batch<()>,
    operation: Operation,
    looks_again: bool,
    taken: &Receiver<Chunk>,
    give: &Sender<Chunk>,
) -> anyhow::Result<()> {
    waiting::block_on(async {
        while let Ok(mut chunk) = taken.recv() {
            ask(&mut socket, &mut batch, operation, &mut chunk).await?;
            if looks_again {
                look_again(&mut socket, &mut chunk).await?;
            }
            if give.send(chunk).is_err() {
                break;
            }
        }
        Ok(())
    })
}

async fn ask(
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

/// Fetches each entry that was changed as it is now.
async fn look_again(socket: &mut Socket, chunk: &mut Chunk) -> Result<(), Error> {
    for number in 0..chunk.keys.len() {
        if chunk.outcomes.get(number) == Some(&0) {
            let attributes = Chunk::part(&chunk.attributes, &chunk.ends, number);
            let Ok(asked) = Change::parse(attributes) else {
                continue;
            };
            let wanted = Change {
                orig: asked.orig,
                zone_orig: asked.zone_orig,
                zone: asked.zone,
                ..Change::default()
            };
            let shown = &mut chunk.shown;
            let looked = lookup::matching(socket, &wanted, |entry| {
                // As it came: nfgenmsg, which tells nothing that the attributes don't, and those.
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
