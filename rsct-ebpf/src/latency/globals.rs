//! Values that the loader sets for these programs only (see also `rsct_ebpf::globals`): constants to the verifier
//! too.

use aya_ebpf::Global;
use rsct_common::{field::ABSENT, hook::NO_ARGUMENT};

/// The key that durations are grouped by: `rsct_common::latency::by`.
#[unsafe(no_mangle)]
pub static LATENCY_BY: Global<u32> = Global::new(0);
/// The duration in nanoseconds from which on a call gets a record; zero for no records.
#[unsafe(no_mangle)]
pub static LATENCY_SLOWER_THAN_NS: Global<u64> = Global::new(0);
/// The number of buckets of the table.
#[unsafe(no_mangle)]
pub static LATENCY_TABLE_BUCKETS: Global<u32> = Global::new(0);

/// The address and size of `nf_conntrack_locks`, and the address of `nf_conntrack_locks_all_lock`.
#[unsafe(no_mangle)]
pub static LATENCY_LOCKS: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
pub static LATENCY_LOCKS_BYTES: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
pub static LATENCY_ALL_LOCK: Global<u64> = Global::new(0);

/// The position of the lock among the arguments of all variants of `queued_spin_lock_slowpath`.
#[unsafe(no_mangle)]
pub static ARG_SLOWPATH_LOCK: Global<u64> = Global::new(NO_ARGUMENT);

/// Offsets in `struct conntrack_gc_work` of its work and of the bucket with which the next run begins.
#[unsafe(no_mangle)]
pub static GC_WORK_FIRST: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static GC_WORK_NEXT_BUCKET: Global<u64> = Global::new(ABSENT);

#[unsafe(no_mangle)]
pub static ARG_SETUP_CT: Global<u64> = Global::new(NO_ARGUMENT);
#[unsafe(no_mangle)]
pub static ARG_SETUP_RETURN: Global<u64> = Global::new(NO_ARGUMENT);
#[unsafe(no_mangle)]
pub static ARG_GC_WORK: Global<u64> = Global::new(NO_ARGUMENT);
