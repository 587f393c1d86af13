//! The records of a frame.

use crate::recording::delta::{Decoder, Stream};

/// A position between two records of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    stream: [usize; 2],
    records: u32,
}

/// The records of a frame, in order.
#[derive(Debug)]
pub struct Records<'a> {
    stream: Stream<'a>,
    left: u32,
    start: u64,
    damage: &'a mut Option<(u64, &'static str)>,
}

impl<'a> Records<'a> {
    pub(super) fn open(
        decoder: &'a mut Decoder,
        raw: &'a [u8],
        count: u32,
        (start, damage): (u64, &'a mut Option<(u64, &'static str)>),
    ) -> Option<Self> {
        match decoder.open(raw) {
            Ok(stream) => Some(Self {
                stream,
                left: count,
                start,
                damage,
            }),
            Err(_) => {
                *damage = Some((start, "a frame of records has no valid body"));
                None
            }
        }
    }

    /// Continues after a pause.
    pub(super) fn resume(
        decoder: &'a mut Decoder,
        raw: &'a [u8],
        pause: Pause,
        (start, damage): (u64, &'a mut Option<(u64, &'static str)>),
    ) -> Option<Self> {
        Some(Self {
            stream: decoder.resume(raw, pause.stream)?,
            left: pause.records,
            start,
            damage,
        })
    }

    /// The position of the next record, for [`super::Reader::resume`].
    pub(crate) fn pause(&self) -> Pause {
        Pause {
            stream: self.stream.left(),
            records: self.left,
        }
    }

    /// The next record, at an address that is a multiple of 8.
    ///
    /// After the last one, or at damage that the checksums do not show, it returns `None`.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<&[u8]> {
        if self.damage.is_some() {
            return None;
        }
        match self.stream.next() {
            Ok(Some(record)) if self.left > 0 => {
                self.left -= 1;
                Some(record)
            }
            Ok(None) if self.left == 0 => None,
            Ok(_) => {
                *self.damage = Some((self.start, "a frame has another number of records than its head"));
                None
            }
            Err(_) => {
                *self.damage = Some((self.start, "a record cannot be decoded"));
                None
            }
        }
    }
}
