//! The reader of the ring, which decodes records in place.

mod pages;

use std::{ops::ControlFlow, os::fd::AsFd as _};

use aya::maps::{MapData, PerCpuArray};
use rsct_common::loss::LOSSES;

use crate::records::{Lost, Record};
use pages::{Next, Pages};

/// Memory is given back to the writers in pieces of this size: for each record, it would cost as much as decoding it.
const RELEASED_BYTES: usize = 4096;

/// The reader's end of the ring, and the counters of losses.
pub(crate) struct Ring {
    reader: Reader,
    /// Its descriptor, which the loader of later programs uses.
    _map: MapData,
    lost: PerCpuArray<MapData, [u64; LOSSES]>,
    /// Records that could not be decoded: there must be none.
    pub malformed: u64,
    /// The number of all records so far.
    pub taken: u64,
    bytes: usize,
}

impl Ring {
    pub(super) fn new(map: MapData, lost: PerCpuArray<MapData, [u64; LOSSES]>) -> Result<Self, String> {
        // The loader rounds the requested size.
        let info = map.info().map_err(|error| error.to_string())?;
        let bytes = info.max_entries() as usize;
        let pages = Pages::map(map.fd().as_fd(), bytes).map_err(|error| error.to_string())?;
        Ok(Self {
            reader: Reader::of(pages),
            _map: map,
            lost,
            malformed: 0,
            taken: 0,
            bytes,
        })
    }

    /// Returns the most records that it can hold.
    pub(crate) fn capacity(&self) -> usize {
        /// Less than the size of any record with its header.
        const LEAST: usize = 64;
        self.bytes / LEAST
    }

    /// Returns whether it can hold as many bytes as it holds now.
    pub(crate) fn has_room(&self) -> bool {
        self.reader.waiting_bytes() < self.bytes / 2
    }

    /// Passes on records until none is left, or `most` were passed on. Returns their number.
    pub(crate) fn drain(&mut self, most: usize, mut take: impl FnMut(Record<'_>)) -> usize {
        self.drain_while(most, |record| {
            take(record);
            ControlFlow::Continue(())
        })
    }

    /// The same, and ends early after a record at which `take` breaks.
    #[inline]
    pub(crate) fn drain_while(
        &mut self,
        most: usize,
        mut take: impl FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> usize {
        let malformed = &mut self.malformed;
        let taken = self.reader.read(most, |bytes| match Record::decode(bytes) {
            Some(record) => take(record),
            None => {
                *malformed += 1;
                ControlFlow::Continue(())
            }
        });
        self.taken += taken as u64;
        taken
    }

    /// Returns the losses so far.
    pub(crate) fn lost(&self) -> Lost {
        let per_cpu = self
            .lost
            .get(&0, 0)
            .map(|values| values.to_vec())
            .unwrap_or_default();
        Lost { per_cpu }
    }
}

/// The reader's position in the ring's memory.
#[derive(Debug)]
struct Reader {
    pages: Pages,
    /// The position of the next record, and the one up to which the memory was given back.
    position: usize,
    released: usize,
    /// The writers' position when it was read last.
    produced: usize,
}

impl Reader {
    fn of(pages: Pages) -> Self {
        let position = pages.consumed();
        Self {
            pages,
            position,
            released: position,
            produced: position,
        }
    }

    /// Passes on records until none is left, `most` were passed on, or `take` breaks. Returns their number.
    #[inline]
    fn read(&mut self, most: usize, mut take: impl FnMut(&[u8]) -> ControlFlow<()>) -> usize {
        let mut taken = 0;
        while taken < most {
            if self.position == self.produced {
                self.produced = self.pages.produced();
                if self.position == self.produced {
                    break;
                }
            }
            let mut flow = ControlFlow::Continue(());
            self.position = match self.pages.at(self.position) {
                Next::None => break,
                Next::Discarded(after) => after,
                Next::Record(record, after) => {
                    taken += 1;
                    flow = take(record);
                    after
                }
            };
            if self.position.wrapping_sub(self.released) >= RELEASED_BYTES {
                self.release();
            }
            if flow.is_break() {
                break;
            }
        }
        self.release();
        taken
    }

    /// The bytes that the writers have and the reader has not given back.
    fn waiting_bytes(&self) -> usize {
        self.pages.produced().wrapping_sub(self.released)
    }

    #[inline(always)]
    fn release(&mut self) {
        self.released = self.position;
        self.pages.release(self.position);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        pages::written::{IS_BUSY, IS_DISCARDED, Written},
        *,
    };

    fn read(reader: &mut Reader, most: usize) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let taken = reader.read(most, |record| {
            records.push(record.to_vec());
            ControlFlow::Continue(())
        });
        assert_eq!(taken, records.len());
        records
    }

    fn bytes(record: &[u64]) -> Vec<u8> {
        record.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    proptest! {
        #[test]
        fn every_record_is_read_once_and_in_order(
            records in prop::collection::vec((1..40_usize, 0..5_u32), 0..200),
            most in 1..9_usize,
        ) {
            let mut memory = Written::new(1024);
            let mut writer = memory.pages();
            let mut reader = Reader::of(memory.pages());
            let (mut expected, mut got) = (Vec::new(), Vec::new());
            for (number, (words, kind)) in records.into_iter().enumerate() {
                let record = vec![number as u64; words];
                let flags = if kind == 0 { IS_DISCARDED } else { 0 };
                while !Written::write(&mut writer, &record, flags) {
                    let some = read(&mut reader, most);
                    got.extend(some);
                }
                if kind != 0 {
                    expected.push(bytes(&record));
                }
            }
            got.extend(read(&mut reader, usize::MAX));
            prop_assert_eq!(got, expected);
            prop_assert_eq!(writer.consumed(), writer.produced());
        }
    }

    #[test]
    fn a_record_that_is_not_complete_is_read_later_with_all_after_it() {
        let mut memory = Written::new(1024);
        let mut writer = memory.pages();
        let mut reader = Reader::of(memory.pages());
        Written::write(&mut writer, &[1], 0);
        assert_eq!(reader.waiting_bytes(), 16);
        let position = writer.produced();
        Written::write(&mut writer, &[2], IS_BUSY);
        Written::write(&mut writer, &[3], 0);
        assert_eq!(read(&mut reader, 9), [bytes(&[1])]);
        assert_eq!(read(&mut reader, 9), [[0; 8]; 0]);
        assert_eq!(writer.consumed(), position);
        Written::complete(&mut writer, position);
        assert_eq!(read(&mut reader, 9), [bytes(&[2]), bytes(&[3])]);
    }

    #[test]
    fn reading_ends_after_the_record_that_breaks() {
        let mut memory = Written::new(1024);
        let mut writer = memory.pages();
        let mut reader = Reader::of(memory.pages());
        for number in 1..=3 {
            Written::write(&mut writer, &[number], 0);
        }
        assert_eq!(reader.read(9, |_| ControlFlow::Break(())), 1);
        assert_eq!(read(&mut reader, 9), [bytes(&[2]), bytes(&[3])]);
    }

    #[test]
    fn memory_is_given_back_while_records_are_read() {
        let mut memory = Written::new(4 * RELEASED_BYTES);
        let mut writer = memory.pages();
        let mut reader = Reader::of(memory.pages());
        while Written::write(&mut writer, &[0; 31], 0) {}
        let mut most = 0;
        reader.read(usize::MAX, |_| {
            most = most.max(writer.produced() - writer.consumed());
            match most > 0 && writer.consumed() > 0 {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        assert_eq!(writer.consumed(), RELEASED_BYTES + 256);
    }
}
