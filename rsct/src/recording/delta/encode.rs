//! The encoder. It runs once per packet, so it allocates only for a slot's first record.

use rsct_common::record::PacketRecord;

use super::{DEFINE, MAX_WORDS, NO_SLOT, SLOTS};
use crate::recording::format::Kinds;

/// A record takes fewer heads: its slot, and for each 8 words their bits and sizes.
const HEADS_WINDOW: usize = 256;
/// A record takes fewer values, although the last store exceeds them.
const VALUES_WINDOW: usize = VALUES_MASK + 1 + 8;
const VALUES_MASK: usize = 2 * MAX_WORDS * 8 - 1;
/// The bits of [`Slot::shape`] with the body. The others have the number of words.
const BODY: u64 = !0xff;
/// The size of the most frequent records, those of packets.
const FREQUENT_WORDS: usize = size_of::<PacketRecord>() / 8;
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
    /// The body that defined it, and the number of its record's words.
    shape: u64,
    /// The position of its record in [`Encoder::past`].
    at: u32,
}

/// Encodes records into the body of a frame.
#[derive(Debug)]
pub(in crate::recording) struct Encoder {
    choices: Box<[Choice; 256]>,
    slots: Box<[Slot; SLOTS]>,
    /// The last record of each slot, after a scratch record for those without one.
    past: Vec<u64>,
    body: u64,
    // Arrays rather than vectors: their sizes cost no instruction.
    heads: Box<[u8; HEADS_BYTES]>,
    values: Box<[u8; VALUES_BYTES]>,
    head_at: usize,
    value_at: usize,
    kinds: Kinds,
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
            debug_assert!(key.slots.is_power_of_two() && slots + usize::from(key.slots) < SLOTS);
            let choice = &mut choices[usize::from(key.kind)];
            (choice.first, choice.mask) = (slots as u16, key.slots - 1);
            (choice.word, choice.bits) = (key.word, key.mask);
            slots += usize::from(key.slots);
        }
        Self {
            choices,
            slots: array(),
            past: vec![0; MAX_WORDS],
            body: 1 << BODY.trailing_zeros(),
            heads: array(),
            values: array(),
            head_at: 0,
            value_at: 0,
            kinds: Kinds::default(),
        }
    }

    /// Encodes a record: 1 to 128 words, of which the first byte is its kind.
    #[inline]
    pub(in crate::recording) fn push(&mut self, record: &[u8]) -> Pushed {
        if let Ok(record) = <&[u8; FREQUENT_WORDS * 8]>::try_from(record) {
            // The compiler knows the size, and checks it nowhere else.
            return self.push_words(record.as_chunks().0);
        }
        match record.as_chunks() {
            (words, []) if (1..=MAX_WORDS).contains(&words.len()) => self.push_words(words),
            _ => Pushed::Invalid,
        }
    }

    #[inline(always)]
    fn push_words(&mut self, words: &[[u8; 8]]) -> Pushed {
        if self.head_at > HEADS_BYTES - HEADS_WINDOW || self.value_at > VALUES_BYTES - VALUES_WINDOW {
            return Pushed::Full;
        }
        let (Some(heads), Some(values), Some(first)) = (
            window(&mut self.heads[..], self.head_at),
            window(&mut self.values[..], self.value_at),
            words.first(),
        ) else {
            return Pushed::Full;
        };
        let mut out = Out {
            heads,
            values,
            head: 0,
            value: 0,
        };
        let choice = &mut self.choices[usize::from(first[0])];
        let key = words.get(choice.word).copied().unwrap_or_default();
        let key = u64::from_ne_bytes(key) ^ (u64::from_ne_bytes(*first) & choice.bits);
        // The upper bits of the product depend on every bit of the key.
        let hash = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16;
        let number = choice.first + (hash & choice.mask);
        let slot = self.slots[usize::from(number) % SLOTS];
        let shape = self.body | words.len() as u64;
        let at = if slot.shape == shape {
            choice.last = number;
            out.slot(number);
            slot.at
        } else {
            // The first record of a kind defines a slot.
            self.kinds.add(first[0]);
            let (number, at) = define(choice, &mut self.slots, &mut self.past, number, shape);
            out.slot(number);
            out.head(first[0]);
            out.head(words.len() as u8);
            at
        };
        let at = at as usize;
        let Some(past) = self.past.get_mut(at..at + words.len()) else {
            return Pushed::Full;
        };
        out.differences(words, past);
        self.head_at += usize::from(out.head);
        self.value_at += out.value;
        Pushed::Yes
    }

    /// The size of the body so far.
    pub(in crate::recording) fn bytes(&self) -> usize {
        self.head_at + self.value_at
    }

    /// Appends the body to `raw`, and begins the next one. Returns the kinds of its records.
    pub(in crate::recording) fn take(&mut self, raw: &mut Vec<u8>) -> Kinds {
        raw.extend((self.head_at as u32).to_le_bytes());
        raw.extend(&self.heads[..self.head_at]);
        raw.extend(&self.values[..self.value_at]);
        (self.head_at, self.value_at) = (0, 0);
        self.past.truncate(MAX_WORDS);
        self.body += 1 << BODY.trailing_zeros();
        std::mem::take(&mut self.kinds)
    }
}

/// Returns the slot of a record whose slot has another shape, and the position of the record to compare with.
#[cold]
#[inline(never)]
fn define(
    choice: &mut Choice,
    slots: &mut [Slot; SLOTS],
    past: &mut Vec<u64>,
    number: u16,
    shape: u64,
) -> (u16, u32) {
    let slot = slots[usize::from(number) % SLOTS];
    let words = (shape & !BODY) as usize;
    if slot.shape & BODY == shape & BODY {
        past[..MAX_WORDS].fill(0);
        return (NO_SLOT, 0);
    }
    let at = past.len();
    let last = slots[usize::from(choice.last) % SLOTS];
    if last.shape == shape {
        let from = last.at as usize;
        past.extend_from_within(from..from + words);
    } else {
        past.resize(at + words, 0);
    }
    choice.last = number;
    let at = at as u32;
    slots[usize::from(number) % SLOTS] = Slot { shape, at };
    (number | DEFINE, at)
}

/// The bytes that a record may take, unless fewer are left.
#[inline(always)]
fn window<const N: usize>(bytes: &mut [u8], at: usize) -> Option<&mut [u8; N]> {
    bytes.get_mut(at..)?.first_chunk_mut()
}

/// An array on the heap that never was on the stack.
fn array<T: Clone + Copy + Default, const N: usize>() -> Box<[T; N]> {
    let slice = vec![T::default(); N].into_boxed_slice();
    slice.try_into().unwrap_or_else(|_| Box::new([T::default(); N]))
}

/// The heads and values of one record.
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

    #[inline(always)]
    fn slot(&mut self, number: u16) {
        [self.heads[0], self.heads[1]] = number.to_le_bytes();
        self.head = 2;
    }

    /// Encodes the differences between a record and an earlier one, which it replaces.
    #[inline(always)]
    fn differences(&mut self, words: &[[u8; 8]], past: &mut [u64]) {
        let ((groups, rest), (past, past_rest)) = (words.as_chunks::<8>(), past.as_chunks_mut::<8>());
        if let ([first, second], [past_first, past_second]) = (groups, &mut *past) {
            // As in the loop: packets have this many groups, for which the compiler does not unroll it.
            self.group(first, past_first);
            self.group(second, past_second);
        } else {
            for (words, past) in groups.iter().zip(past) {
                self.group(words, past);
            }
        }
        if !rest.is_empty() {
            self.group(rest, past_rest);
        }
    }

    /// Up to 8 words: a byte with a bit for each that differs, then each one's difference.
    #[inline(always)]
    fn group(&mut self, words: &[[u8; 8]], past: &mut [u64]) {
        let at = usize::from(self.head);
        self.head = self.head.wrapping_add(1);
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

    /// The bytes of a difference between its lowest and its highest that is not zero, and their place.
    #[inline(always)]
    fn difference(&mut self, difference: u64) {
        let low = difference.trailing_zeros() / 8;
        let more = difference.ilog2() / 8 - low;
        self.head((low << 3 | more) as u8);
        let at = self.value & VALUES_MASK;
        self.values[at..at + 8].copy_from_slice(&(difference >> (low * 8)).to_le_bytes());
        self.value = at + more as usize + 1;
    }
}
