//! The encoder. It runs once per packet, so it allocates only for a slot's first record.

use super::{DEFINE, MAX_WORDS, NO_SLOT, SLOTS};

/// A record takes fewer heads: its slot, and for each 8 words their bits and sizes.
const HEADS_WINDOW: usize = 256;
/// A record takes fewer values, although the last store exceeds them.
const VALUES_WINDOW: usize = VALUES_MASK + 1 + 8;
const VALUES_MASK: usize = 2 * MAX_WORDS * 8 - 1;
const HEADS_BYTES: usize = 192 << 10;
const VALUES_BYTES: usize = 256 << 10;

/// The slots of a kind of records. A kind without a key has one slot.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The kind.
    pub kind: u8,
    /// The number of slots, a power of two.
    pub slots: u16,
    /// The word of the record whose hash chooses the slot, for example the one with the entry's address.
    pub word: usize,
    /// The bits of the record's first word that choose it too, for example those of the direction.
    pub mask: u64,
}

/// The outcome of [`Encoder::push`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::recording) enum Pushed {
    /// The record is in the body.
    Yes,
    /// The body has no capacity left.
    Full,
    /// It is no record: its size is not 1 to 128 words.
    Invalid,
}

/// [`Key`], as the encoder uses it.
#[derive(Clone, Copy, Debug)]
struct Choice {
    first: u16,
    mask: u16,
    word: usize,
    bits: u64,
    /// The slot of the kind's last record.
    last: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The body that defined it.
    body: u32,
    words: u32,
    /// The position of its record in [`Encoder::past`].
    at: usize,
}

/// Encodes records into the body of a frame.
#[derive(Debug)]
pub(in crate::recording) struct Encoder {
    choices: Box<[Choice; 256]>,
    slots: Vec<Slot>,
    /// The last record of each slot, after a scratch record for those without one.
    past: Vec<u64>,
    body: u32,
    heads: Vec<u8>,
    values: Vec<u8>,
    head_at: usize,
    value_at: usize,
}

impl Encoder {
    /// An encoder of records whose slots these keys choose.
    pub(in crate::recording) fn new(keys: &[Key]) -> Self {
        let mut choices: Box<[Choice; 256]> = Box::new(std::array::from_fn(|kind| Choice {
            first: kind as u16,
            mask: 0,
            word: 0,
            bits: 0,
            last: NO_SLOT,
        }));
        let mut slots = choices.len();
        for key in keys {
            debug_assert!(key.slots.is_power_of_two() && slots + usize::from(key.slots) <= SLOTS);
            let choice = &mut choices[usize::from(key.kind)];
            (choice.first, choice.mask) = (slots as u16, key.slots - 1);
            (choice.word, choice.bits) = (key.word, key.mask);
            slots += usize::from(key.slots);
        }
        Self {
            choices,
            slots: vec![Slot::default(); slots],
            past: vec![0; MAX_WORDS],
            body: 1,
            heads: vec![0; HEADS_BYTES],
            values: vec![0; VALUES_BYTES],
            head_at: 0,
            value_at: 0,
        }
    }

    /// Encodes a record: 1 to 128 words, of which the first byte is its kind.
    #[inline]
    pub(in crate::recording) fn push(&mut self, record: &[u8]) -> Pushed {
        let (words, rest) = record.as_chunks::<8>();
        let (Some(first), [], ..=MAX_WORDS) = (words.first(), rest, words.len()) else {
            return Pushed::Invalid;
        };
        let choice = &self.choices[usize::from(first[0])];
        let key = words.get(choice.word).copied().unwrap_or_default();
        let key = u64::from_ne_bytes(key) ^ (u64::from_ne_bytes(*first) & choice.bits);
        // The upper bits of the product depend on every bit of the key.
        let hash = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16;
        let number = choice.first + (hash & choice.mask);
        let slot = self.slots[usize::from(number)];
        let (number, at) = if slot.body == self.body && slot.words as usize == words.len() {
            self.choices[usize::from(first[0])].last = number;
            (number, slot.at)
        } else {
            self.define(first[0], number, words.len())
        };
        let (Some(heads), Some(values), Some(past)) = (
            window(&mut self.heads, self.head_at),
            window(&mut self.values, self.value_at),
            self.past.get_mut(at..at + words.len()),
        ) else {
            return Pushed::Full;
        };
        let sizes = encode(number, words, past, heads, values);
        self.head_at += sizes.0;
        self.value_at += sizes.1;
        Pushed::Yes
    }

    /// Returns the slot of a record that is not in its slot's shape, and the position of the record to compare with.
    #[cold]
    fn define(&mut self, kind: u8, number: u16, words: usize) -> (u16, usize) {
        if self.slots[usize::from(number)].body == self.body {
            self.past[..MAX_WORDS].fill(0);
            return (NO_SLOT, 0);
        }
        let at = self.past.len();
        let last = self.choices[usize::from(kind)].last;
        match self.slots.get(usize::from(last)) {
            Some(last) if last.body == self.body && last.words as usize == words => {
                self.past.extend_from_within(last.at..last.at + words);
            }
            _ => self.past.resize(at + words, 0),
        }
        self.choices[usize::from(kind)].last = number;
        self.slots[usize::from(number)] = Slot {
            body: self.body,
            words: words as u32,
            at,
        };
        (number | DEFINE, at)
    }

    /// The size of the body so far.
    pub(in crate::recording) fn bytes(&self) -> usize {
        self.head_at + self.value_at
    }

    /// Appends the body to `raw`, and begins the next one.
    pub(in crate::recording) fn take(&mut self, raw: &mut Vec<u8>) {
        raw.extend((self.head_at as u32).to_le_bytes());
        raw.extend(&self.heads[..self.head_at]);
        raw.extend(&self.values[..self.value_at]);
        (self.head_at, self.value_at) = (0, 0);
        self.past.truncate(MAX_WORDS);
        self.body = self.body.wrapping_add(1);
    }
}

#[inline]
fn window<const N: usize>(bytes: &mut [u8], at: usize) -> Option<&mut [u8; N]> {
    bytes.get_mut(at..)?.first_chunk_mut()
}

/// Encodes the differences between a record and an earlier one, which it replaces. Returns the sizes.
#[inline]
fn encode(
    number: u16,
    words: &[[u8; 8]],
    past: &mut [u64],
    heads: &mut [u8; HEADS_WINDOW],
    values: &mut [u8; VALUES_WINDOW],
) -> (usize, usize) {
    [heads[0], heads[1]] = number.to_le_bytes();
    let mut out = Out {
        heads,
        values,
        head: 2,
        value: 0,
    };
    if number & DEFINE != 0 {
        out.head(words[0][0]);
        out.head(words.len() as u8);
    }
    let (groups, rest) = words.as_chunks::<8>();
    let (past_groups, past_rest) = past.as_chunks_mut::<8>();
    for (words, past) in groups.iter().zip(past_groups) {
        out.group(words, past);
    }
    if !rest.is_empty() {
        out.group(rest, past_rest);
    }
    (usize::from(out.head), out.value)
}

struct Out<'a> {
    heads: &'a mut [u8; HEADS_WINDOW],
    values: &'a mut [u8; VALUES_WINDOW],
    /// A byte, so that no check of bounds is needed. A record has fewer heads.
    head: u8,
    value: usize,
}

impl Out<'_> {
    #[inline(always)]
    fn head(&mut self, byte: u8) {
        self.heads[usize::from(self.head)] = byte;
        self.head = self.head.wrapping_add(1);
    }

    /// Up to 8 words: a byte with a bit for each that differs, then each one's difference.
    #[inline(always)]
    fn group(&mut self, words: &[[u8; 8]], past: &mut [u64]) {
        let at = usize::from(self.head);
        self.head(0);
        let mut bits = 0;
        for (number, (word, past)) in words.iter().zip(past).enumerate() {
            let word = u64::from_ne_bytes(*word);
            if word != *past {
                bits |= 1 << number;
                self.difference(word ^ *past);
                *past = word;
            }
        }
        self.heads[at] = bits;
    }

    /// The sizes of both halves, and their bytes without the upper zeros.
    #[inline(always)]
    fn difference(&mut self, difference: u64) {
        let (low, high) = (difference & 0xffff_ffff, difference >> 32);
        let (low_size, high_size) = (size(low), size(high));
        self.head((low_size | high_size << 4) as u8);
        let at = self.value & VALUES_MASK;
        let value = low | high << (low_size * 8);
        self.values[at..at + 8].copy_from_slice(&value.to_le_bytes());
        self.value = at + (low_size + high_size) as usize;
    }
}

/// The number of bytes of a 32-bit number without the upper zeros.
#[inline(always)]
fn size(half: u64) -> u32 {
    // Twice the number and 1 has one bit more than it, and is not zero.
    ((half << 1 | 1).ilog2() + 7) >> 3
}
