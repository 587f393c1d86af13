//! The frames of one file.

use std::{
    fmt,
    io::{self, Write},
};

use lz4_flex::block::CompressTable;
use zerocopy::IntoBytes as _;

use super::block;
use crate::recording::format::{HEAD_BYTES, Head, Header, frame};

/// The number of frames between two indices.
const INDEX_EVERY: usize = 64;

/// A file, or a test's image of one.
pub(super) trait Sink: Write {
    /// Makes it shorter, and continues to write there.
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;

    /// True if nobody can read it later.
    fn is_deleted(&self) -> bool {
        false
    }
}

/// Writes frames into a file.
pub(super) struct Frames<S> {
    sink: S,
    /// The end of the last whole frame.
    bytes: u64,
    /// The position and the earliest time of the frames since the last index.
    index: Vec<[u64; 2]>,
    last_index: u64,
    last: Head,
    buffer: Vec<u8>,
    table: CompressTable,
}

impl<S: Sink> Frames<S> {
    /// Begins the file with its header.
    pub(super) fn begin(sink: S) -> io::Result<Self> {
        let mut frames = Self {
            sink,
            bytes: 0,
            index: Vec::with_capacity(INDEX_EVERY),
            last_index: 0,
            last: Head::default(),
            buffer: Vec::new(),
            table: CompressTable::large(),
        };
        frames.buffer.extend(Header::new().as_bytes());
        frames.flush()?;
        Ok(frames)
    }

    /// The file.
    pub(super) const fn sink(&self) -> &S {
        &self.sink
    }

    /// The size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes a frame, compressed if that makes it shorter.
    pub(super) fn put(&mut self, mut head: Head, raw: &[u8]) -> io::Result<()> {
        self.buffer.resize(HEAD_BYTES, 0);
        if block::append(&mut self.buffer, head.frame, raw, &mut self.table) {
            head.raw_bytes = raw.len() as u32;
        } else {
            head.raw_bytes = 0;
            self.buffer.extend(raw);
        }
        self.write(head)
    }

    /// Writes a frame whose payload is as it was in another file.
    pub(super) fn copy(&mut self, head: Head, payload: &[u8]) -> io::Result<()> {
        self.buffer.resize(HEAD_BYTES, 0);
        self.buffer.extend(payload);
        self.write(head)
    }

    /// Writes the last index and the end.
    pub(super) fn end(&mut self, lost: u64) -> io::Result<()> {
        if !self.index.is_empty() {
            self.put_index()?;
        }
        let payload = self.last_index.to_le_bytes();
        let head = self.own_head(frame::END);
        self.buffer.resize(HEAD_BYTES, 0);
        self.buffer.extend(payload);
        self.write_frame(Head { lost, ..head })
    }

    /// Removes a frame that was not written whole, and ends the file if the disk has space for that.
    pub(super) fn repair(&mut self) {
        // A pipe has no end to cut off, and a removed disk none to write.
        if self.sink.truncate(self.bytes).is_ok() && self.end(self.last.lost).is_err() {
            let _ = self.sink.truncate(self.bytes);
        }
    }

    /// Writes the frame whose payload is in the buffer.
    fn write(&mut self, head: Head) -> io::Result<()> {
        let entry = [self.bytes, head.first_ns];
        self.write_frame(head)?;
        self.last = head;
        self.index.push(entry);
        if self.index.len() < INDEX_EVERY {
            return Ok(());
        }
        self.put_index()
    }

    fn put_index(&mut self) -> io::Result<()> {
        let at = self.bytes;
        self.buffer.resize(HEAD_BYTES, 0);
        self.buffer.extend(self.last_index.to_le_bytes());
        self.buffer.extend(
            self.index
                .as_flattened()
                .iter()
                .flat_map(|word| word.to_le_bytes()),
        );
        self.write_frame(self.own_head(frame::INDEX))?;
        self.index.clear();
        self.last_index = at;
        Ok(())
    }

    fn own_head(&self, frame: u8) -> Head {
        let Head { last_ns, lost, .. } = self.last;
        Head {
            frame,
            first_ns: last_ns,
            last_ns,
            lost,
            ..Head::default()
        }
    }

    fn write_frame(&mut self, mut head: Head) -> io::Result<()> {
        let payload = self.buffer.get(HEAD_BYTES..).unwrap_or_default();
        head.payload_bytes = payload.len() as u32;
        head.payload_crc = crc32fast::hash(payload);
        if let Some(space) = self.buffer.first_chunk_mut() {
            *space = head.to_disk();
        }
        self.buffer.extend(head.payload_bytes.to_le_bytes());
        self.flush()
    }

    /// Writes the buffer, in one call of the system: a killed recorder tears few frames.
    fn flush(&mut self) -> io::Result<()> {
        self.sink.write_all(&self.buffer)?;
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl<S: fmt::Debug> fmt::Debug for Frames<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("sink", &self.sink)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Reader, Status};

    /// A disk with a limited capacity.
    struct Small {
        bytes: Vec<u8>,
        capacity: usize,
    }

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let size = bytes.len().min(self.capacity - self.bytes.len());
            if size == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.bytes.extend(&bytes[..size]);
            Ok(size)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Small {
        fn truncate(&mut self, bytes: u64) -> io::Result<()> {
            self.bytes.truncate(bytes as usize);
            Ok(())
        }
    }

    fn note(number: u64) -> (Head, Vec<u8>) {
        let head = Head {
            frame: frame::NOTE,
            first_ns: number,
            last_ns: number,
            ..Head::default()
        };
        (
            head,
            [&b"\x01n"[..], number.to_string().repeat(20).as_bytes()].concat(),
        )
    }

    /// The number of notes, and the condition.
    fn read(file: &[u8]) -> (u64, Status) {
        let mut reader = Reader::new(file).unwrap();
        let mut notes = 0;
        while let Some(head) = reader.advance().unwrap() {
            notes += u64::from(head.frame == frame::NOTE);
        }
        (notes, reader.status())
    }

    #[test]
    fn a_disk_that_fills_at_any_byte_leaves_a_valid_file() {
        for capacity in HEADER..700 {
            let bytes = Vec::new();
            let mut frames = Frames::begin(Small { bytes, capacity }).unwrap();
            let mut written = 0;
            while {
                let (head, raw) = note(written);
                frames.put(head, &raw).is_ok()
            } {
                written += 1;
            }
            frames.repair();
            let (notes, status) = read(&frames.sink.bytes);
            assert_eq!(notes, written, "{capacity}");
            assert!(!matches!(status, Status::Damaged { .. }), "{capacity}: {status}");
            assert_eq!(frames.bytes(), frames.sink.bytes.len() as u64);
        }
    }

    const HEADER: usize = size_of::<Header>();

    #[test]
    fn the_indices_are_a_chain_from_the_end() {
        let bytes = Vec::new();
        let capacity = usize::MAX;
        let mut frames = Frames::begin(Small { bytes, capacity }).unwrap();
        for number in 0..150 {
            let (head, raw) = note(number);
            frames.put(head, &raw).unwrap();
        }
        frames.end(0).unwrap();
        let file = &frames.sink.bytes;
        let word = |at: u64| u64::from_le_bytes(*file[at as usize..].first_chunk().unwrap());
        let size = |at: u64| word(at) as u32;
        // The end's payload is the position of the last index.
        let mut index = word(file.len() as u64 - 12);
        let mut found = Vec::new();
        while index != 0 {
            let words = u64::from(size(index)) / 8;
            let entries = (1..words).step_by(2).map(|entry| index + 48 + entry * 8);
            found.splice(0..0, entries.map(|at| (word(at), word(at + 8))));
            index = word(index + 48);
        }
        assert_eq!(found.len(), 150);
        for (number, (at, first_ns)) in (0..).zip(found) {
            assert_eq!(first_ns, number);
            assert_eq!(word(at + 16), number);
        }
        assert_eq!(read(file), (150, Status::Whole));
    }
}
