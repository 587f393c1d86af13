//! What the programs wrote, read in place.

use aya::maps::{MapData, PerCpuArray, RingBuf};
use rsct_common::{
    loss::LOSSES,
    record::{CauseRecord, DumpRecord, EntryRecord, PacketRecord, PolicyRecord, SlowRecord, kind},
};
use zerocopy::FromBytes as _;

/// One record.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// A packet's pass.
    Packet(&'a PacketRecord),
    /// Something happened to an entry.
    Entry(&'a EntryRecord),
    /// A policy governs a flow, or ends.
    Policy(&'a PolicyRecord),
    /// What a dump does not tell of an entry.
    Dump(&'a DumpRecord),
    /// Why something happened.
    Cause(&'a CauseRecord),
    /// Something took too long.
    Slow(&'a SlowRecord),
}

/// The reader's end of the ring, and the counters of what did not fit.
pub struct Ring {
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, [u64; LOSSES]>,
    /// Records that are not what this rsct writes: there must be none.
    pub malformed: u64,
    /// All records so far.
    pub taken: u64,
    bytes: usize,
}

/// What was lost, per CPU and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// For each CPU a count for each [`rsct_common::loss::Loss`].
    pub per_cpu: Vec<[u64; LOSSES]>,
}

impl Lost {
    /// The sum over CPUs of one kind.
    pub fn of(&self, kind: usize) -> u64 {
        self.per_cpu.iter().map(|counts| counts[kind]).sum()
    }

    /// The sum of all.
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

    /// The most records that it can hold.
    pub fn capacity(&self) -> usize {
        /// Less than any record takes with its header.
        const LEAST: usize = 64;
        self.bytes / LEAST
    }

    /// Hands over records until none is left, or `most` were handed over. Says how many there were.
    pub fn drain(&mut self, most: usize, mut take: impl FnMut(Record<'_>)) -> usize {
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

    /// What the programs have lost so far.
    pub fn lost(&self) -> Lost {
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
