//! The maps that every object has.

use aya_ebpf::{
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use rsct_common::loss::LOSSES;

/// What user space reads. Its size is set when it is loaded.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(1 << 22, 0);

/// What could not be delivered, by `rsct_common::loss::Loss`.
#[map]
pub static LOST: PerCpuArray<[u64; LOSSES]> = PerCpuArray::with_max_entries(1, 0);
