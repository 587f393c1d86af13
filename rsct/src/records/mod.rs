//! Records of eBPF programs as user space reads them, from the ring or from a recording, and the counts of lost ones.

mod hook_counts;
mod lost;

pub(crate) use hook_counts::HookCounts;
pub(crate) use lost::{Lost, Skips};

use rsct_common::record::{
    CauseRecord, DumpRecord, EntryRecord, PacketRecord, PolicyRecord, SlowRecord, kind,
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

impl<'a> Record<'a> {
    /// Decodes a record in place. The bytes must be aligned to 8; none for bytes that are no record.
    #[inline(always)]
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        // Most records are of packets.
        match PacketRecord::ref_from_bytes(bytes) {
            Ok(record) if record.kind == kind::PACKET => Some(Self::Packet(record)),
            _ => Self::decode_other(bytes),
        }
    }

    #[inline(never)]
    fn decode_other(bytes: &'a [u8]) -> Option<Self> {
        Some(match *bytes.first()? {
            kind::ENTRY => Self::Entry(EntryRecord::ref_from_bytes(bytes).ok()?),
            kind::POLICY => Self::Policy(PolicyRecord::ref_from_bytes(bytes).ok()?),
            kind::DUMP => Self::Dump(DumpRecord::ref_from_bytes(bytes).ok()?),
            kind::CAUSE => Self::Cause(CauseRecord::ref_from_bytes(bytes).ok()?),
            kind::SLOW => Self::Slow(SlowRecord::ref_from_bytes(bytes).ok()?),
            _ => return None,
        })
    }

    /// Its time on the monotonic clock, if it has one.
    #[inline]
    pub(crate) fn time_ns(&self) -> Option<u64> {
        match self {
            Self::Packet(record) => Some(record.time_ns),
            Self::Entry(record) => Some(record.time_ns),
            Self::Policy(record) => Some(record.time_ns),
            Self::Cause(record) => Some(record.time_ns),
            Self::Slow(record) => Some(record.time_ns),
            Self::Dump(_) => None,
        }
    }
}
