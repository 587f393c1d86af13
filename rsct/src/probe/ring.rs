//! The reader of the ring, which decodes records in place.

use std::{ops::ControlFlow, os::fd::AsFd as _};

use aya::maps::{MapData, PerCpuArray, RingBuf};
use rsct_common::loss::LOSSES;

use crate::{
    kernel::ring_fill::RingFill,
    records::{Lost, Record},
};

/// The reader's end of the ring, and the counters of losses.
pub(crate) struct Ring {
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, [u64; LOSSES]>,
    /// Records that could not be decoded: there must be none.
    pub malformed: u64,
    /// The number of all records so far.
    pub taken: u64,
    bytes: usize,
    /// None if the kernel does not show its positions.
    fill: Option<RingFill>,
}

impl Ring {
    pub(super) fn new(ring: RingBuf<MapData>, bytes: u32, lost: PerCpuArray<MapData, [u64; LOSSES]>) -> Self {
        let fill = RingFill::of(ring.as_fd()).ok();
        Self {
            ring,
            fill,
            lost,
            malformed: 0,
            taken: 0,
            bytes: bytes as usize,
        }
    }

    /// Returns the most records that it can hold.
    pub(crate) fn capacity(&self) -> usize {
        /// Less than the size of any record with its header.
        const LEAST: usize = 64;
        self.bytes / LEAST
    }

    /// Returns whether it can hold as many bytes as it holds now.
    pub(crate) fn has_room(&self) -> bool {
        let fill = self.fill.as_ref();
        fill.is_some_and(|fill| fill.bytes() < self.bytes as u64 / 2)
    }

    /// Passes on records until none is left, or `most` were passed on. Returns their number.
    pub(crate) fn drain(&mut self, most: usize, mut take: impl FnMut(Record<'_>)) -> usize {
        self.drain_while(most, |record| {
            take(record);
            ControlFlow::Continue(())
        })
    }

    /// The same, and ends early after a record at which `take` breaks.
    pub(crate) fn drain_while(
        &mut self,
        most: usize,
        mut take: impl FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> usize {
        let mut taken = 0;
        let mut flow = ControlFlow::Continue(());
        while taken < most
            && flow.is_continue()
            && let Some(bytes) = self.ring.next()
        {
            taken += 1;
            match Record::decode(&bytes) {
                Some(record) => flow = take(record),
                None => self.malformed += 1,
            }
        }
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
