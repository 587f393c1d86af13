//! The contents of a whole recording in numbers.

use std::{collections::BTreeMap, io::Read};

use serde_json::Value;

use super::{
    Body, Head, ReadError, Reader, Status,
    format::{HEAD_BYTES, TRAILER_BYTES, frame},
};

/// More names of notes are counted together, so that no file takes more memory.
const MAX_NAMES: usize = 64;
/// The name of these notes.
const OTHER: &str = "other";

/// The contents of a recording, up to its end or its first damage.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// The first version of rsct that reads it.
    pub needs: Option<String>,
    /// The number of concatenated recordings.
    pub parts: u64,
    /// The first note `start`.
    pub start: Option<Value>,
    /// The number of bytes.
    pub bytes: u64,
    /// The number of frames.
    pub frames: u64,
    /// The earliest and the latest time in frames of records and notes.
    pub span_ns: Option<(u64, u64)>,
    /// The number of records that the recorder lost.
    pub lost: u64,
    /// The number of records by kind.
    pub records: BTreeMap<u8, u64>,
    /// The number of bytes of the frames with records.
    pub records_bytes: u64,
    /// The number of notes by name.
    pub notes: BTreeMap<String, u64>,
    /// The condition.
    pub status: Status,
    lost_before: u64,
}

impl Contents {
    /// Reads a recording and checks each byte of it.
    pub(crate) fn read(input: impl Read) -> Result<Self, ReadError> {
        let mut reader = Reader::new(input)?;
        let mut contents = Self {
            needs: reader.needs().map(|needs| needs.to_string()),
            parts: 0,
            start: None,
            bytes: 0,
            frames: 0,
            span_ns: None,
            lost: 0,
            records: BTreeMap::new(),
            records_bytes: 0,
            notes: BTreeMap::new(),
            status: reader.status(),
            lost_before: 0,
        };
        while let Some(head) = reader.advance()? {
            contents.head(&head);
            match reader.body() {
                Some(Body::Records(mut records)) => {
                    while let Some(record) = records.next() {
                        let kind = record.first().copied().unwrap_or_default();
                        *contents.records.entry(kind).or_default() += 1;
                    }
                }
                Some(Body::Note(note)) => contents.note(note.name, note.json),
                _ => (),
            }
        }
        contents.bytes = reader.bytes();
        contents.parts = reader.parts();
        contents.status = reader.status();
        Ok(contents)
    }

    /// The number of records.
    pub(crate) fn records(&self) -> u64 {
        self.records.values().sum()
    }

    /// The size of a record in the file, on average.
    pub(crate) fn bytes_per_record(&self) -> Option<f64> {
        let records = self.records();
        (records > 0).then(|| self.records_bytes as f64 / records as f64)
    }

    fn head(&mut self, head: &Head) {
        self.frames += 1;
        // Another recording begins to count anew.
        self.lost += head.lost.checked_sub(self.lost_before).unwrap_or(head.lost);
        self.lost_before = head.lost;
        if [frame::RECORDS, frame::NOTE].contains(&head.frame) {
            let (first, last) = self.span_ns.unwrap_or((head.first_ns, head.last_ns));
            self.span_ns = Some((first.min(head.first_ns), last.max(head.last_ns)));
        }
        if head.frame == frame::RECORDS {
            self.records_bytes += u64::from(head.payload_bytes) + (HEAD_BYTES + TRAILER_BYTES) as u64;
        }
    }

    fn note(&mut self, name: &str, json: &[u8]) {
        if name == "start" && self.start.is_none() {
            self.start = serde_json::from_slice(json).ok();
        }
        let known = self.notes.len() < MAX_NAMES || self.notes.contains_key(name);
        let name = if known { name } else { OTHER };
        *self.notes.entry(name.to_owned()).or_default() += 1;
    }
}
