//! The reader of the ring, which decodes records in place.

use aya::maps::{MapData, PerCpuArray, RingBuf};
use rsct_common::{
    loss::LOSSES,
    record::{CauseRecord, DumpRecord, EntryRecord, PacketRecord, PolicyRecord, SlowRecord, kind},
};
use zerocopy::FromBytes as _;

/// One record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Record<'a> {
    /// A packet's traversal.
    Packet(&'a PacketRecord),
    /// An operation on an entry.
    Entry(&'a EntryRecord),
    /// A policy that starts to govern a flow, or ends.
    Policy(&'a PolicyRecord),
    /// Facts about a dumped entry that the dump does not contain.
    Dump(&'a DumpRecord),
    /// A cause.
    Cause(&'a CauseRecord),
    /// A slow call.
    Slow(&'a SlowRecord),
}

/// The reader's end of the ring, and the counters of losses.
pub(crate) struct Ring {
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, [u64; LOSSES]>,
    /// Records that could not be decoded: there must be none.
    pub malformed: u64,
    /// The number of all records so far.
    pub taken: u64,
    bytes: usize,
}

/// The losses, per CPU and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// For each CPU, a count for each [`rsct_common::loss::Loss`].
    pub per_cpu: Vec<[u64; LOSSES]>,
}

impl Lost {
    /// Returns the sum of one kind over all CPUs.
    pub fn of(&self, kind: usize) -> u64 {
        self.per_cpu.iter().map(|counts| counts[kind]).sum()
    }

    /// Returns the sum of all kinds.
    pub fn total(&self) -> u64 {
        (0..LOSSES).map(|kind| self.of(kind)).sum()
    }
}

impl Ring {
    pub(super) fn new(ring: RingBuf<MapData>, bytes: u32, lost: PerCpuArray<MapData, [u64; LOSSES]>) -> Self {
        Self {
            ring,
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

    /// Passes on records until none is left, or `most` were passed on. Returns their number.
    pub(crate) fn drain(&mut self, most: usize, mut take: impl FnMut(Record<'_>)) -> usize {
        let mut taken = 0;
        while taken < most
            && let Some(bytes) = self.ring.next()
        {
            taken += 1;
            match decode(&bytes) {
                Some(record) => take(record),
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

fn decode(bytes: &[u8]) -> Option<Record<'_>> {
    Some(match *bytes.first()? {
        kind::PACKET => Record::Packet(PacketRecord::ref_from_bytes(bytes).ok()?),
        kind::ENTRY => Record::Entry(EntryRecord::ref_from_bytes(bytes).ok()?),
        kind::POLICY => Record::Policy(PolicyRecord::ref_from_bytes(bytes).ok()?),
        kind::DUMP => Record::Dump(DumpRecord::ref_from_bytes(bytes).ok()?),
        kind::CAUSE => Record::Cause(CauseRecord::ref_from_bytes(bytes).ok()?),
        kind::SLOW => Record::Slow(SlowRecord::ref_from_bytes(bytes).ok()?),
        _ => return None,
    })
}
