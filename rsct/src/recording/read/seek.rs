//! Passing over records that need not be read.

use std::io::{Read, Seek};

use super::{Head, ReadError, Reader, TRAILER_BYTES, frame, input};
use crate::recording::format::{HEAD_BYTES, Header, MAGIC};

/// A position between two frames, to return to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    at: u64,
    parts: u64,
    header: Option<Header>,
    torn: Option<u64>,
    ended: bool,
}

impl<R: Read + Seek> Reader<R> {
    /// The position after the current frame.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            at: self.at,
            parts: self.parts,
            header: self.header,
            torn: self.torn,
            ended: self.ended,
        }
    }

    /// Returns to a position, and forgets the frames found after it.
    pub(crate) fn return_to(&mut self, mark: Mark) -> Result<(), ReadError> {
        let back = mark.at.cast_signed() - self.at.cast_signed();
        self.input.seek_relative(back)?;
        (self.at, self.start) = (mark.at, mark.at);
        (self.parts, self.header, self.torn, self.ended) = (mark.parts, mark.header, mark.torn, mark.ended);
        (self.damage, self.done) = (None, false);
        Ok(())
    }

    /// Passes over the next frame if it has only records, of kinds that `is_needed` does not need. Returns its head;
    /// none if the next frame is to be read.
    pub(crate) fn pass_over(
        &mut self,
        is_needed: impl FnOnce(&Head) -> bool,
    ) -> Result<Option<Head>, ReadError> {
        if self.done || self.damage.is_some() || self.ended {
            return Ok(None);
        }
        let mut bytes = [0; HEAD_BYTES];
        let size = input::fill(&mut self.input, &mut bytes)?;
        let head = match size == HEAD_BYTES && !bytes.starts_with(&MAGIC) {
            true => Head::from_disk(&bytes).ok(),
            false => None,
        };
        let head = head.filter(|head| head.frame == frame::RECORDS && !is_needed(head));
        let Some(head) = head else {
            self.input.seek_relative(-(size as i64))?;
            return Ok(None);
        };
        let rest = u64::from(head.payload_bytes) + TRAILER_BYTES as u64;
        self.start = self.at;
        self.input.seek_relative(rest.cast_signed())?;
        self.at += HEAD_BYTES as u64 + rest;
        Ok(Some(head))
    }
}
