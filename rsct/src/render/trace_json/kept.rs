//! The line of the last packet like this one: only its numbers that differ are written anew.
//!
//! Two packets of a flow at the same hook have lines that differ in a few numbers. The two lines of a packet over `lo`,
//! 965 bytes, take 1,540 instructions if written member by member; 700 if the record is compared, the numbers that differ
//! are replaced, and the whole is copied (callgrind).

use rsct_common::record::PacketRecord;

use super::{digits, likeness::Likeness};
use crate::render::bytes;

/// The numbers that differ from packet to packet, in the order of the line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Differing {
    Duration,
    Length,
    Before,
    After,
    TcpFlags,
    Seq,
    Ack,
    Window,
}

const DIFFERING: usize = 8;

/// Where a number is in a line.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The value it is written from, which may be another than the written one.
    of: u64,
    end: usize,
    width: u32,
}

/// Where a line's differing numbers are.
#[derive(Debug, Default)]
pub(super) struct Places {
    time: Place,
    others: [Place; DIFFERING],
}

impl Places {
    /// Appends the line's time.
    pub(super) fn time(&mut self, out: &mut Vec<u8>, time_ns: u64) {
        self.time = Place::append(out, time_ns, time_ns);
    }

    /// Appends another number.
    pub(super) fn number(&mut self, out: &mut Vec<u8>, which: Differing, number: u32) {
        self.others[which as usize] = Place::append(out, number.into(), number);
    }

    /// Appends a number that was made from `of`.
    pub(super) fn made(&mut self, out: &mut Vec<u8>, which: Differing, of: u64, number: i64) {
        self.others[which as usize] = Place::append(out, of, number);
    }
}

impl Place {
    #[inline]
    fn append(out: &mut Vec<u8>, of: u64, number: impl itoa::Integer) -> Self {
        let start = out.len();
        bytes::number(out, number);
        Self {
            of,
            end: out.len(),
            width: (out.len() - start) as u32,
        }
    }
}

/// Capacity for any line but those with the longest names.
const LINE_BYTES: usize = 768;

/// A line, and the packet that it was written for.
#[derive(Debug, Default)]
pub(super) struct Kept {
    like: Likeness,
    beside: Beside,
    text: Vec<u8>,
    places: Places,
    /// The time without its last eight digits.
    base_ns: u64,
}

/// All that a packet's line is made from besides its record: the flow's number, and the timeout's source.
#[derive(Debug, Default)]
pub(super) struct Beside([u64; 4]);

impl Beside {
    #[inline(always)]
    pub(super) fn of(flow_number: u64, source: Option<[u64; 3]>) -> Self {
        let [a, b, c] = source.unwrap_or([u64::MAX, 0, 0]);
        Self([flow_number, a, b, c])
    }
}

impl PartialEq for Beside {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c, d], [w, x, y, z]) = (self.0, other.0);
        (a ^ w) | (b ^ x) | (c ^ y) | (d ^ z) == 0
    }
}

impl Kept {
    /// Returns whether a packet's line differs from this one in no more than the numbers.
    #[inline(always)]
    pub(super) fn is_like(&self, record: &PacketRecord, beside: &Beside) -> bool {
        self.beside == *beside && self.like.has(record)
    }

    /// Writes the line of a packet of another kind.
    pub(super) fn write(
        &mut self,
        record: &PacketRecord,
        beside: Beside,
        write: impl FnOnce(&mut Vec<u8>, &mut Places),
    ) {
        self.text.clear();
        self.text.reserve(LINE_BYTES);
        write(&mut self.text, &mut self.places);
        self.like = Likeness::of(record);
        self.beside = beside;
        self.set_base();
    }

    /// The line.
    #[inline(always)]
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Replaces the time. Its last eight digits are the only ones that change in a tenth of a second.
    #[inline(always)]
    pub(super) fn time(&mut self, time_ns: u64) {
        let since_base = time_ns.wrapping_sub(self.base_ns);
        let end = self.places.time.end;
        if since_base < digits::END
            && self.base_ns != 0
            && let Some(last) = last_eight(&mut self.text, end)
        {
            *last = digits::eight(since_base as u32);
            return;
        }
        self.places.time.of = time_ns;
        let (text, places) = (&mut self.text, &mut self.places);
        let by = replace(text, &mut places.time, itoa::Buffer::new().format(time_ns));
        shift(&mut places.others, by);
        self.set_base();
    }

    fn set_base(&mut self) {
        let time_ns = self.places.time.of;
        self.base_ns = time_ns - time_ns % digits::END;
    }

    /// Replaces a number by `of`, if it is another.
    #[inline(always)]
    pub(super) fn number(&mut self, which: Differing, of: u64) {
        let place = &mut self.places.others[which as usize];
        if place.of == of {
            return;
        }
        if of < digits::END
            && let Some(last) = last_eight(&mut self.text, place.end)
            && digits::replace(last, place.width, of as u32)
        {
            place.of = of;
            return;
        }
        self.value(which, of, of);
    }

    /// Replaces a number made from `of`, if that is another, by the one that `value` returns.
    #[inline(always)]
    pub(super) fn made(&mut self, which: Differing, of: u64, value: impl FnOnce() -> i64) {
        if self.places.others[which as usize].of != of {
            self.value(which, of, value());
        }
    }

    /// Replaces a number of any width. Not in [`Self::number`], which is inlined wherever it is called.
    #[inline(never)]
    fn value(&mut self, which: Differing, of: u64, value: impl itoa::Integer) {
        let index = which as usize;
        let (text, others) = (&mut self.text, &mut self.places.others);
        others[index].of = of;
        let by = replace(text, &mut others[index], itoa::Buffer::new().format(value));
        shift(&mut others[index + 1..], by);
    }
}

/// The eight bytes before `end`.
#[inline(always)]
fn last_eight(text: &mut [u8], end: usize) -> Option<&mut [u8; 8]> {
    text.get_mut(..end)?.last_chunk_mut()
}

/// Replaces the digits at `place`. Returns how many more they are now.
fn replace(text: &mut Vec<u8>, place: &mut Place, digits: &str) -> isize {
    let start = place.end - place.width as usize;
    let by = digits.len().cast_signed() - (place.width as usize).cast_signed();
    if by == 0 {
        text[start..place.end].copy_from_slice(digits.as_bytes());
    } else {
        text.splice(start..place.end, digits.bytes());
    }
    place.width = digits.len() as u32;
    place.end = start + digits.len();
    by
}

fn shift(places: &mut [Place], by: isize) {
    for place in places {
        // Places that the line lacks move too; nothing reads them.
        place.end = place.end.wrapping_add_signed(by);
    }
}
