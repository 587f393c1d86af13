//! Reader thread: converts the lines of a file into requests.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    mem,
    os::fd::AsFd,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use super::{Command, Lacking, LineError, ReadError, line};
use crate::{
    entry_spec::{Opt, Spec},
    family::Family,
    kernel::{
        interrupt::{self, Watch, Woken},
        limits,
    },
    labels::LabelMap,
    netlink::{change::Operation, conntrack::Change, emit::Emitter},
};

/// Number of chunks in circulation: one is filled, one is sent, the others keep either side from waiting.
const CHUNKS: usize = 4;
/// Most lines in a chunk, which is sent at once.
const CHUNK_LINES: usize = 256;
/// Longest accepted line.
const MAX_LINE_BYTES: usize = 16 * 1024;
const FILE_BUFFER_BYTES: usize = 128 * 1024;

/// The request of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The line's number.
    pub line: u64,
    /// The line's command.
    pub command: Command,
    /// The family in the message's header.
    pub family: u8,
    /// The values that select the new entry's timeout, if the line has none.
    lacking: Option<Lacking>,
    /// End of its attributes in the chunk.
    end: usize,
}

impl Request {
    /// The operation; `None` for a flush.
    pub(crate) fn operation(&self) -> Option<Operation> {
        Some(match self.command {
            Command::Create | Command::Add => Operation::Create,
            Command::Update => Operation::Update,
            Command::Delete => Operation::Delete,
            Command::Flush => return None,
        })
    }
}

/// The requests of some lines.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    attributes: Vec<u8>,
    requests: Vec<Request>,
}

impl Chunk {
    /// Number of requests.
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    /// Returns whether there is no request.
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// The requests in order, with their attributes.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (Request, &[u8])> {
        let mut begin = 0;
        self.requests.iter().map(move |request| {
            let attributes = &self.attributes[begin..request.end];
            begin = request.end;
            (*request, attributes)
        })
    }

    /// The values that select the missing timeouts.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = Lacking> + '_ {
        self.requests.iter().filter_map(|request| request.lacking)
    }

    /// Adds the missing timeouts.
    pub(crate) fn fill(&mut self, seconds: impl Fn(Lacking) -> u32) {
        if self.lacking().next().is_none() {
            return;
        }
        let before = mem::take(&mut self.attributes);
        let mut begin = 0;
        for request in &mut self.requests {
            self.attributes.extend_from_slice(&before[begin..request.end]);
            begin = request.end;
            if let Some(lacking) = request.lacking.take() {
                let timeout = Change {
                    timeout: Some(seconds(lacking)),
                    ..Change::default()
                };
                timeout.emit(&mut Emitter::new(&mut self.attributes));
            }
            request.end = self.attributes.len();
        }
    }

    fn push(&mut self, number: u64, line: &line::Line) -> Result<(), LineError> {
        let mut spec = line.spec;
        let creates = matches!(line.command, Command::Create | Command::Add);
        let lacks_timeout = creates && spec.allow_offloaded();
        let change = match line.command {
            Command::Create | Command::Add => spec.new_entry()?,
            Command::Update => spec.changed_entry()?,
            Command::Delete => spec.named_entry()?,
            Command::Flush => Change::default(),
        };
        let mut family = change.family();
        if line.command == Command::Flush {
            family = flushed_family(&spec)?.map_or(0, |family| family as u8);
        }
        let lacking = change.orig.filter(|_| lacks_timeout).map(|orig| Lacking {
            protonum: orig.protonum,
            state: change.protoinfo.as_ref().and_then(|info| info.state()),
            status: change.status.unwrap_or(0),
        });
        change.emit(&mut Emitter::new(&mut self.attributes));
        self.requests.push(Request {
            line: number,
            command: line.command,
            family,
            lacking,
            end: self.attributes.len(),
        });
        Ok(())
    }
}

/// The family of a flush; `None` for all.
fn flushed_family(spec: &Spec) -> Result<Option<Family>, LineError> {
    if spec.has_only(&[Opt::Family]) {
        Ok(spec.family())
    } else {
        Err(LineError::FlushOptions)
    }
}

/// A result of the reader thread, in the file's order.
#[derive(Debug)]
pub(crate) enum Handed {
    /// Valid lines.
    Chunk(Chunk),
    /// An invalid line, with its number. With `stop`, it is the last result.
    Bad(u64, LineError),
    /// Reading failed.
    Failed(ReadError),
}

/// A file being read.
#[derive(Debug)]
pub(crate) struct FileReader {
    handed: Receiver<Handed>,
    empty: SyncSender<Chunk>,
    /// Created before the thread, which may wait for input at once.
    _watch: Watch,
}

impl FileReader {
    /// Starts reading a file, or standard input for `-`. With `stop`, reading ends at an invalid line. From now on a
    /// signal ends the reading; while a pipe is being opened, which may wait for its other end, it kills the process.
    pub(crate) fn begin(path: &Path, names: &Arc<LabelMap>, stop: bool) -> Result<Self, ReadError> {
        let (name, input): (String, Box<dyn Read + Send>) = if path == Path::new("-") {
            // Its own small buffer is bypassed, as every read is larger.
            (
                "standard input".to_owned(),
                Box::new(InterruptibleRead(io::stdin())),
            )
        } else {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|source| ReadError::Open {
                name: name.clone(),
                source,
            })?;
            (name, Box::new(InterruptibleRead(file)))
        };
        let (hand, handed) = sync_channel(CHUNKS);
        let (empty, emptied) = sync_channel(CHUNKS);
        for _ in 0..CHUNKS {
            // The channel can hold all of them.
            let _ = empty.send(Chunk::default());
        }
        let names = Arc::clone(names);
        let reader = move |name: String| {
            let mut reader = Reader {
                input: BufReader::with_capacity(FILE_BUFFER_BYTES, input),
                number: 0,
                bytes: Vec::new(),
            };
            // The receiver is closed: the error has no destination.
            let _ = reader.run(&name, &names, stop, &hand, &emptied);
        };
        let watch = interrupt::watch();
        let thread_name = name.clone();
        thread::Builder::new()
            .name("rsct-load".into())
            .spawn(move || reader(thread_name))
            .map_err(|error| ReadError::Thread {
                name,
                source: limits::no_thread(error),
            })?;
        Ok(Self {
            handed,
            empty,
            _watch: watch,
        })
    }

    /// The next result; `None` at the end of the file.
    pub(crate) fn next(&self) -> Option<Handed> {
        self.handed.recv().ok()
    }

    /// Returns a chunk for reuse.
    pub(crate) fn recycle(&self, chunk: Chunk) {
        // The receiver is closed if reading has ended.
        let _ = self.empty.send(chunk);
    }
}

/// An input whose reads fail after a signal.
struct InterruptibleRead<R>(R);

impl<R: Read + AsFd> Read for InterruptibleRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match interrupt::wait_for(self.0.as_fd(), libc::POLLIN)? {
            Woken::Ready => self.0.read(buffer),
            Woken::Signal(signal) => Err(io::Error::other(format!("ended by {}", interrupt::name(signal)))),
        }
    }
}

/// The other side of the channel is closed.
struct Disconnected;

struct Reader<R> {
    input: BufReader<R>,
    number: u64,
    bytes: Vec<u8>,
}

impl<R: Read> Reader<R> {
    fn run(
        &mut self,
        name: &str,
        names: &LabelMap,
        stop: bool,
        hand: &SyncSender<Handed>,
        emptied: &Receiver<Chunk>,
    ) -> Result<(), Disconnected> {
        let mut chunk = emptied.recv().map_err(|_| Disconnected)?;
        let give = |handed| hand.send(handed).map_err(|_| Disconnected);
        loop {
            let bad = match self.next(names) {
                Ok(None) => {
                    return if chunk.is_empty() {
                        Ok(())
                    } else {
                        give(Handed::Chunk(chunk))
                    };
                }
                Ok(Some(line)) => line
                    .and_then(|line| match line {
                        Some(line) => chunk.push(self.number, &line),
                        None => Ok(()),
                    })
                    .err(),
                Err(source) => {
                    give(Handed::Chunk(chunk))?;
                    let name = name.to_owned();
                    return give(Handed::Failed(ReadError::Read { name, source }));
                }
            };
            if bad.is_none() && chunk.len() < CHUNK_LINES {
                continue;
            }
            give(Handed::Chunk(chunk))?;
            if let Some(error) = bad {
                give(Handed::Bad(self.number, error))?;
                if stop {
                    return Ok(());
                }
            }
            chunk = emptied.recv().map_err(|_| Disconnected)?;
            chunk.attributes.clear();
            chunk.requests.clear();
        }
    }

    /// Parses the next line; `None` at the end of the file.
    fn next(&mut self, names: &LabelMap) -> io::Result<Option<Result<Option<line::Line>, LineError>>> {
        self.bytes.clear();
        let most = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
        let got = self
            .input
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut self.bytes)?;
        if got == 0 {
            return Ok(None);
        }
        self.number += 1;
        let whole = self.bytes.pop_if(|last| *last == b'\n').is_some();
        if !whole && got == MAX_LINE_BYTES {
            self.input.skip_until(b'\n')?;
            return Ok(Some(Err(LineError::TooLong(MAX_LINE_BYTES))));
        }
        let Ok(text) = std::str::from_utf8(&self.bytes) else {
            return Ok(Some(Err(LineError::NotText)));
        };
        Ok(Some(line::parse(text, names)))
    }
}
