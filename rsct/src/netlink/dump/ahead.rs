//! Receives ahead on a separate thread. The kernel walks its table inside recvmsg(), which is most of a
//! dump's time: the thread stays in that call while the caller reads, formats and writes earlier entries.

use std::{
    io::{self, PipeReader, PipeWriter},
    mem::MaybeUninit,
    ops::Deref,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::{Query, Source};
use crate::netlink::{
    Error, Socket,
    socket::{DATAGRAM_BYTES, check_size, failed, is_overrun, receive_into, send_to},
};

/// Limit on the number of chunks. On an idle machine two would keep both sides busy; on a busy one a woken
/// thread may take milliseconds to run, and a chunk holds less than two milliseconds' worth.
const CHUNKS: usize = 12;
/// Several datagrams, so that the cost of handing over and waking is spread; small enough to stay in a
/// processor's cache.
const CHUNK_BYTES: usize = 4 * DATAGRAM_BYTES;

/// A sequence of datagrams.
struct Chunk {
    bytes: Box<[MaybeUninit<u8>]>,
    /// End offset of each datagram; all bytes before it have been written.
    ends: Vec<usize>,
}

impl Chunk {
    fn new() -> Self {
        Self {
            bytes: Box::new_uninit_slice(CHUNK_BYTES),
            ends: Vec::new(),
        }
    }

    fn filled(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn has_space(&self) -> bool {
        self.bytes.len() - self.filled() >= DATAGRAM_BYTES
    }

    /// The datagram with this index, if there is one.
    fn datagram(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        // SAFETY: receive() records an end only after it has written the bytes before it.
        Some(unsafe { self.bytes[start..end].assume_init_ref() })
    }

    /// Receives a datagram, if one is queued.
    fn receive(&mut self, socket: &OwnedFd) -> Result<(), NoDatagram> {
        let filled = self.filled();
        let buffer = &mut self.bytes[filled..];
        let received = receive_into(socket.as_fd(), buffer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => NoDatagram::NotYet,
            _ if is_overrun(&error) => NoDatagram::Lost,
            _ => NoDatagram::Failed(failed("receiving from")(error)),
        })?;
        check_size(received.bytes, received.capacity).map_err(NoDatagram::Failed)?;
        // Any process may send to a netlink port; only the kernel's messages count.
        if received.from_kernel {
            self.ends.push(filled + received.bytes);
        }
        Ok(())
    }
}

/// The reason why no datagram was received.
enum NoDatagram {
    NotYet,
    Lost,
    Failed(Error),
}

/// A message from the thread.
enum FromThread {
    Chunk(Chunk),
    /// Messages were lost at this point.
    Lost,
    Failed(Error),
}

/// A socket on which a thread receives ahead.
pub(super) struct Ahead<'a> {
    socket: &'a mut Socket,
    chunk: Option<Chunk>,
    /// Index of the chunk's next datagram.
    next: usize,
    filled: Option<Receiver<FromThread>>,
    empty: Option<SyncSender<Chunk>>,
    /// Closed to wake the thread up.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl<'a> Ahead<'a> {
    /// Starts the thread with a request: the kernel begins its walk inside sendmsg(), and may take long if
    /// few entries of its table match. If the process may have no more descriptors or threads, returns the
    /// socket with nothing sent.
    pub(super) fn of(socket: &'a mut Socket, request: &[u8]) -> Result<Self, &'a mut Socket> {
        let shared: Arc<OwnedFd> = socket.shared();
        let Ok((stopped, stop)) = io::pipe() else {
            return Err(socket);
        };
        let request = request.to_vec();
        let (fill, filled) = sync_channel(CHUNKS);
        let (empty, emptied) = sync_channel(CHUNKS);
        let chunks = Chunks {
            emptied,
            idle: Vec::new(),
            unallocated: CHUNKS,
        };
        let thread = thread::Builder::new().name("rsct-receive".into()).spawn(move || {
            match send_to(shared.as_fd(), &request) {
                Ok(_) => receive(&shared, &stopped, &fill, chunks),
                Err(error) => drop(fill.send(FromThread::Failed(failed("sending to")(error)))),
            }
        });
        let Ok(thread) = thread else {
            return Err(socket);
        };
        Ok(Self {
            socket,
            chunk: None,
            next: 0,
            filled: Some(filled),
            empty: Some(empty),
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Swaps the chunk that was read for the next one.
    fn advance(&mut self) -> Result<(), Error> {
        let received = self.filled.as_ref().and_then(|filled| filled.recv().ok());
        match received {
            Some(FromThread::Chunk(chunk)) => {
                self.next = 0;
                if let (Some(mut read), Some(empty)) = (self.chunk.replace(chunk), &self.empty) {
                    read.ends.clear();
                    // A thread that has ended has already sent its error.
                    let _ = empty.send(read);
                }
                Ok(())
            }
            Some(FromThread::Lost) => Err(self.socket.overrun()),
            Some(FromThread::Failed(error)) => Err(error),
            None => Err(failed("receiving from")(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

impl Source for Ahead<'_> {
    fn port(&self) -> u32 {
        self.socket.port()
    }

    async fn request(&mut self, query: &Query) -> Result<u32, Error> {
        self.socket.request(query).await
    }

    async fn next(&mut self) -> Result<impl Deref<Target = [u8]>, Error> {
        while self
            .chunk
            .as_ref()
            .is_none_or(|chunk| chunk.ends.len() == self.next)
        {
            self.advance()?;
        }
        self.next += 1;
        let chunk = self.chunk.as_ref();
        Ok(chunk
            .and_then(|chunk| chunk.datagram(self.next - 1))
            .unwrap_or_default())
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        // Dropping these ends all waits of the thread.
        self.filled = None;
        self.empty = None;
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // The thread's result is no longer needed.
            let _ = thread.join();
        }
    }
}

/// The chunks that the thread may fill.
struct Chunks {
    /// Chunks that were read.
    emptied: Receiver<Chunk>,
    /// Chunks already taken back from `emptied`.
    idle: Vec<Chunk>,
    /// Number of chunks that may still be allocated.
    unallocated: usize,
}

impl Chunks {
    /// The most recently read chunk, which is likely to be in the processor's cache; allocates one only if
    /// the other side has all. `None` once the other side has been dropped.
    fn next(&mut self) -> Option<Chunk> {
        self.idle.extend(self.emptied.try_iter());
        if let Some(chunk) = self.idle.pop() {
            return Some(chunk);
        }
        if self.unallocated > 0 {
            self.unallocated -= 1;
            return Some(Chunk::new());
        }
        self.emptied.recv().ok()
    }
}

/// Receives until the other side is dropped or an error occurs.
fn receive(socket: &OwnedFd, stopped: &PipeReader, fill: &SyncSender<FromThread>, mut chunks: Chunks) {
    while let Some(mut chunk) = chunks.next() {
        let stop = loop {
            match chunk.receive(socket) {
                Ok(()) if chunk.has_space() => {}
                Ok(()) => break None,
                // Hand over a chunk that has datagrams before waiting.
                Err(NoDatagram::NotYet) if chunk.ends.is_empty() => {
                    if !wait(socket, stopped) {
                        return;
                    }
                }
                Err(stop) => break Some(stop),
            }
        };
        let more = match stop {
            Some(NoDatagram::Lost) => Some(FromThread::Lost),
            Some(NoDatagram::Failed(error)) => Some(FromThread::Failed(error)),
            Some(NoDatagram::NotYet) | None => None,
        };
        let failed = matches!(more, Some(FromThread::Failed(_)));
        if fill.send(FromThread::Chunk(chunk)).is_err()
            || more.is_some_and(|more| fill.send(more).is_err())
            || failed
        {
            return;
        }
    }
}

/// Waits for a datagram. Returns `false` once the other side no longer receives.
fn wait(socket: &OwnedFd, stopped: &PipeReader) -> bool {
    let mut both = [socket.as_raw_fd(), stopped.as_raw_fd()].map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    // SAFETY: the array outlives the call, and the count is its own.
    let ready = unsafe { libc::poll(both.as_mut_ptr(), both.len() as libc::nfds_t, -1) };
    // A signal must not end the wait.
    let interrupted = ready < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
    interrupted || (ready > 0 && both[1].revents == 0)
}
