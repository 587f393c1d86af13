//! Every map.

use aya_ebpf::{
    macros::map,
    maps::{HashMap, PerCpuArray, RingBuf},
};
use rsct_common::{loss::LOSSES, record::EntryRecord};

use crate::{hooks::OPERATIONS_COUNT, scratch::Slots};

/// What user space reads. Its size is set when it is loaded.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(1 << 22, 0);

/// When each entry was allocated or first seen, by its address.
#[map]
pub static BIRTHS: HashMap<u64, u64> = HashMap::with_max_entries(1 << 18, BPF_F_NO_PREALLOC);

/// What could not be delivered, by `rsct_common::loss::Loss`.
#[map]
pub static LOST: PerCpuArray<[u64; LOSSES]> = PerCpuArray::with_max_entries(1, 0);

/// Operations on entries between entering and leaving their function; one slot set a function.
#[map]
pub static OPERATIONS: PerCpuArray<Slots<EntryRecord>> = PerCpuArray::with_max_entries(OPERATIONS_COUNT, 0);

const BPF_F_NO_PREALLOC: u32 = 1;
