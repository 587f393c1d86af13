//! The maps of every object.

use aya_ebpf::{
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use rsct_common::loss::LOSSES;

/// The ring that user space reads. Its size is set at load time.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(1 << 22, 0);

/// Losses, by `rsct_common::loss::Loss`.
#[map]
pub static LOST: PerCpuArray<[u64; LOSSES]> = PerCpuArray::with_max_entries(1, 0);
