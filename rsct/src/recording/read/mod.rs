//! Reading: one frame at a time, in constant memory, up to the first byte that is damaged.

mod error;
mod input;
mod records;
mod seek;

use std::io::{BufReader, Read};

pub use error::{ReadError, Status};
pub(crate) use records::Pause;
pub use records::Records;

use super::{
    delta::Decoder,
    format::{HEAD_BYTES, HEADER_BYTES, Head, Header, HeaderFault, MAGIC, Needs, Rsct, TRAILER_BYTES, frame},
    note::Note,
};

/// Reads a recording, or several concatenated ones.
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<R>,
    /// The position after the last byte read.
    at: u64,
    /// The position of the current frame.
    start: u64,
    head: Head,
    header: Option<Header>,
    parts: u64,
    payload: Vec<u8>,
    raw: Vec<u8>,
    decoder: Decoder,
    /// The last frame is the end of a recording.
    ended: bool,
    /// The position where a recording breaks off without its end.
    torn: Option<u64>,
    damage: Option<(u64, &'static str)>,
    /// No frame follows.
    done: bool,
}

/// The payload of a frame.
#[derive(Debug)]
#[non_exhaustive]
pub enum Body<'a> {
    /// Records.
    Records(Records<'a>),
    /// A note.
    Note(Note<'a>),
    /// Positions of frames.
    Index,
    /// The end of a recording.
    End,
    /// A frame of a newer version, which a reader skips.
    Other,
}

impl<R: Read> Reader<R> {
    /// Begins to read, and checks the header.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            input: BufReader::with_capacity(1 << 13, input),
            at: 0,
            start: 0,
            head: Head::default(),
            header: None,
            parts: 0,
            payload: Vec::new(),
            raw: Vec::new(),
            decoder: Decoder::default(),
            ended: false,
            torn: None,
            damage: None,
            done: false,
        };
        let mut bytes = [0; HEADER_BYTES];
        let size = reader.fill(&mut bytes)?;
        if size == HEADER_BYTES {
            reader.part(&bytes)?;
        } else if MAGIC.starts_with(bytes.get(..size.min(MAGIC.len())).unwrap_or_default()) {
            reader.tear();
        } else {
            return Err(ReadError::Foreign);
        }
        Ok(reader)
    }

    /// Reads the next frame and checks its checksums. `None` at the end, or at the first damage: see
    /// [`Self::status`].
    pub fn advance(&mut self) -> Result<Option<Head>, ReadError> {
        while !self.done && self.damage.is_none() {
            self.start = self.at;
            let mut head = [0; HEAD_BYTES];
            let size = self.fill(&mut head)?;
            if size == 0 && self.ended {
                self.done = true;
            } else if size < HEAD_BYTES {
                self.tear();
            } else if head.starts_with(&MAGIC) {
                self.next_part(&head)?;
            } else if self.frame(&head)? {
                return Ok(Some(self.head));
            }
        }
        Ok(None)
    }

    /// The condition of the file up to here; final after [`Self::advance`] returned `None`.
    pub fn status(&self) -> Status {
        match (self.damage, self.torn) {
            (Some((offset, what)), _) => Status::Damaged { offset, what },
            (None, Some(offset)) => Status::Torn { offset },
            (None, None) => Status::Whole,
        }
    }

    /// The position of the current frame.
    pub fn offset(&self) -> u64 {
        self.start
    }

    /// The number of bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.at
    }

    /// The number of concatenated recordings up to here.
    pub fn parts(&self) -> u64 {
        self.parts
    }

    /// The payload of the current frame as it is on disk, for [`super::Writer::copy`].
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The layout of the records in the current part of the file.
    pub fn layout(&self) -> u16 {
        self.header.map_or(0, |header| header.layout())
    }

    /// The first version of rsct that reads the current part of the file.
    pub fn needs(&self) -> Option<Rsct> {
        self.header.map(|header| header.needs())
    }

    /// Decodes the payload of the current frame. `None` if it is damaged.
    pub fn body(&mut self) -> Option<Body<'_>> {
        if self.damage.is_some() {
            return None;
        }
        let Some(raw) = decompress(&self.head, &self.payload, &mut self.raw) else {
            self.damage = Some((self.start, "a frame cannot be decompressed"));
            return None;
        };
        match self.head.frame {
            frame::RECORDS => {
                let place = (self.start, &mut self.damage);
                Records::open(&mut self.decoder, raw, self.head.records, place).map(Body::Records)
            }
            frame::NOTE => {
                let note = Note::parse(raw);
                if note.is_none() {
                    self.damage = Some((self.start, "a note has no valid name"));
                }
                note.map(Body::Note)
            }
            frame::INDEX => Some(Body::Index),
            frame::END => Some(Body::End),
            _ => Some(Body::Other),
        }
    }

    /// Continues with the records of the current frame, of which [`Self::body`] returned the first.
    pub(crate) fn resume(&mut self, pause: Pause) -> Option<Records<'_>> {
        let raw = match self.head.raw_bytes {
            0 => &self.payload,
            _ => &self.raw,
        };
        let place = (self.start, &mut self.damage);
        Records::resume(&mut self.decoder, raw, pause, place)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, ReadError> {
        let size = input::fill(&mut self.input, bytes)?;
        self.at += size as u64;
        Ok(size)
    }

    /// The file breaks off in the current frame.
    fn tear(&mut self) {
        self.torn.get_or_insert(self.start);
        self.done = true;
    }

    fn damaged(&mut self, what: &'static str) {
        self.damage = Some((self.start, what));
    }

    /// Another recording begins.
    fn next_part(&mut self, start: &[u8; HEAD_BYTES]) -> Result<(), ReadError> {
        if !self.ended {
            self.torn.get_or_insert(self.start);
        }
        let mut bytes = [0; HEADER_BYTES];
        let (known, rest) = bytes.split_at_mut(HEAD_BYTES);
        known.copy_from_slice(start);
        let size = self.fill(rest)?;
        if size < HEADER_BYTES - HEAD_BYTES {
            self.tear();
            return Ok(());
        }
        self.part(&bytes)
    }

    fn part(&mut self, bytes: &[u8; HEADER_BYTES]) -> Result<(), ReadError> {
        self.ended = false;
        self.parts += 1;
        match Header::check(bytes) {
            Ok(header) => self.header = Some(header),
            Err(HeaderFault::Foreign) => return Err(ReadError::Foreign),
            Err(HeaderFault::Text) => return Err(ReadError::Text),
            Err(HeaderFault::Needs(needs)) => return Err(ReadError::Needs(needs)),
            Err(HeaderFault::Checksum) => self.damaged("the checksum of the file's header differs"),
        }
        Ok(())
    }

    /// Reads the rest of a frame. False if there is no whole one.
    fn frame(&mut self, head: &[u8; HEAD_BYTES]) -> Result<bool, ReadError> {
        let head = match Head::from_disk(head) {
            Ok(head) => head,
            Err(what) => {
                self.damaged(what);
                return Ok(false);
            }
        };
        self.payload.clear();
        let wanted = u64::from(head.payload_bytes);
        let payload = self.input.by_ref().take(wanted).read_to_end(&mut self.payload);
        let size = payload.map_err(ReadError::Io)? as u64;
        self.at += size;
        let mut trailer = [0; TRAILER_BYTES];
        if size < wanted || self.fill(&mut trailer)? < TRAILER_BYTES {
            self.tear();
            return Ok(false);
        }
        if crc32fast::hash(&self.payload) != head.payload_crc {
            self.damaged("the checksum of a frame differs");
        } else if u32::from_le_bytes(trailer) != head.payload_bytes {
            self.damaged("the length after a frame differs from the length before it");
        } else if self.ended {
            self.damaged("a frame follows the end");
        } else if head.frame >= frame::MUST_UNDERSTAND
            && let Some(header) = self.header
        {
            let (frame, needs) = (head.frame, header.needs());
            return Err(ReadError::Needs(Needs::Frame { frame, needs }));
        } else {
            self.ended = head.frame == frame::END;
            self.head = head;
            return Ok(true);
        }
        Ok(false)
    }
}

/// The payload as it was before it was compressed.
fn decompress<'a>(head: &Head, payload: &'a [u8], raw: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    if head.raw_bytes == 0 {
        return Some(payload);
    }
    raw.resize(head.raw_bytes as usize, 0);
    let size = lz4_flex::block::decompress_into(payload, raw).ok()?;
    (size == raw.len()).then_some(raw)
}

/// A recording of one frame with valid checksums and any payload: input of the fuzz target.
#[doc(hidden)]
pub fn sealed(frame: u8, records: u32, raw_bytes: u32, payload: &[u8]) -> Vec<u8> {
    let head = Head {
        frame,
        raw_bytes,
        payload_bytes: payload.len() as u32,
        payload_crc: crc32fast::hash(payload),
        records,
        ..Head::default()
    };
    let mut file: Vec<u8> = zerocopy::IntoBytes::as_bytes(&Header::new()).to_vec();
    file.extend(head.to_disk());
    file.extend(payload);
    file.extend(head.payload_bytes.to_le_bytes());
    file
}
