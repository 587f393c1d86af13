//! The decoder. It accepts any bytes, and returns the records before the first that cannot be decoded.

use zerocopy::IntoBytes as _;

use super::{DEFINE, MAX_WORDS, NO_SLOT, SLOTS};

/// The body of a frame does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::recording) struct Undecodable;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    body: u64,
    kind: u8,
    words: u8,
    at: usize,
}

/// The slots of a body, whose memory the next body reuses.
#[derive(Debug)]
pub(in crate::recording) struct Decoder {
    slots: Vec<Slot>,
    /// The last record of each slot, after a scratch record for those without one.
    past: Vec<u64>,
    /// The slot of the last record of each kind.
    last: Box<[u16; 256]>,
    body: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            slots: vec![Slot::default(); SLOTS],
            past: Vec::new(),
            last: Box::new([NO_SLOT; 256]),
            body: 0,
        }
    }
}

impl Decoder {
    /// Begins a body.
    pub(in crate::recording) fn open<'a>(&'a mut self, raw: &'a [u8]) -> Result<Stream<'a>, Undecodable> {
        let (size, rest) = raw.split_first_chunk().ok_or(Undecodable)?;
        let size = u32::from_le_bytes(*size) as usize;
        let (heads, values) = rest.split_at_checked(size).ok_or(Undecodable)?;
        self.body = self.body.wrapping_add(1);
        self.past.clear();
        self.past.resize(MAX_WORDS, 0);
        Ok(Stream {
            decoder: self,
            heads,
            values,
        })
    }

    /// Continues with the body that was opened last, with so many bytes of its heads and values left.
    pub(in crate::recording) fn resume<'a>(
        &'a mut self,
        raw: &'a [u8],
        left: [usize; 2],
    ) -> Option<Stream<'a>> {
        let (size, rest) = raw.split_first_chunk()?;
        let (heads, values) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
        let [heads_left, values_left] = left;
        Some(Stream {
            decoder: self,
            heads: heads.get(heads.len().checked_sub(heads_left)?..)?,
            values: values.get(values.len().checked_sub(values_left)?..)?,
        })
    }

    fn slot(&self, number: u16) -> Option<Slot> {
        let slot = self.slots.get(usize::from(number))?;
        (slot.body == self.body).then_some(*slot)
    }

    /// Adds a slot. Its record is the last one of its kind, or zeros if that has another size.
    fn define(&mut self, number: u16, kind: u8, words: u8) -> Option<Slot> {
        // A slot is defined once, so that hostile bodies take no more memory than the slots.
        if self.slot(number).is_some() {
            return None;
        }
        let (at, count) = (self.past.len(), usize::from(words));
        match self.slot(self.last[usize::from(kind)]) {
            Some(last) if last.words == words => self.past.extend_from_within(last.at..last.at + count),
            _ => self.past.resize(at + count, 0),
        }
        let slot = Slot {
            body: self.body,
            kind,
            words,
            at,
        };
        *self.slots.get_mut(usize::from(number))? = slot;
        Some(slot)
    }
}

/// The records of a body.
#[derive(Debug)]
pub(in crate::recording) struct Stream<'a> {
    decoder: &'a mut Decoder,
    heads: &'a [u8],
    values: &'a [u8],
}

impl Stream<'_> {
    /// The next record. Its address is a multiple of 8.
    pub(in crate::recording) fn next(&mut self) -> Result<Option<&[u8]>, Undecodable> {
        if self.heads.is_empty() {
            return if self.values.is_empty() {
                Ok(None)
            } else {
                Err(Undecodable)
            };
        }
        self.decode()
            .map(|record| Some(record.as_bytes()))
            .ok_or(Undecodable)
    }

    /// The bytes of its heads and values that are left, for [`Decoder::resume`].
    pub(in crate::recording) fn left(&self) -> [usize; 2] {
        [self.heads.len(), self.values.len()]
    }

    fn decode(&mut self) -> Option<&[u64]> {
        let slot = self.choose()?;
        let record = self
            .decoder
            .past
            .get_mut(slot.at..slot.at + usize::from(slot.words))?;
        for words in record.chunks_mut(8) {
            let bits = head(&mut self.heads)?;
            if words.len() < 8 && bits >> words.len() != 0 {
                return None;
            }
            for (number, word) in words.iter_mut().enumerate() {
                if bits & 1 << number != 0 {
                    *word ^= difference(&mut self.values, head(&mut self.heads)?)?;
                }
            }
        }
        (record.first()?.as_bytes().first() == Some(&slot.kind)).then_some(record)
    }

    fn choose(&mut self) -> Option<Slot> {
        let number = u16::from_le_bytes([head(&mut self.heads)?, head(&mut self.heads)?]);
        if number & DEFINE == 0 {
            let slot = self.decoder.slot(number)?;
            self.decoder.last[usize::from(slot.kind)] = number;
            return Some(slot);
        }
        let (kind, words) = (head(&mut self.heads)?, head(&mut self.heads)?);
        if !(1..=MAX_WORDS).contains(&usize::from(words)) {
            return None;
        }
        if number == NO_SLOT {
            self.decoder.past.get_mut(..MAX_WORDS)?.fill(0);
            return Some(Slot {
                body: self.decoder.body,
                kind,
                words,
                at: 0,
            });
        }
        let number = number & !DEFINE;
        let slot = self.decoder.define(number, kind, words)?;
        self.decoder.last[usize::from(kind)] = number;
        Some(slot)
    }
}

fn head(heads: &mut &[u8]) -> Option<u8> {
    let (head, rest) = heads.split_first()?;
    *heads = rest;
    Some(*head)
}

/// Reads a difference, whose place is the number of zero bytes below it, and its size less 1.
fn difference(values: &mut &[u8], place: u8) -> Option<u64> {
    let (low, size) = (usize::from(place >> 3), usize::from(place & 7) + 1);
    let mut bytes = [0; 8];
    let (value, rest) = values.split_at_checked(size)?;
    bytes.get_mut(low..low + size)?.copy_from_slice(value);
    *values = rest;
    Some(u64::from_le_bytes(bytes))
}
