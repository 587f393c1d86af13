//! What the loader tells these programs beside `rsct_ebpf::globals`: constants to the verifier too.

use aya_ebpf::Global;
use rsct_common::{field::ABSENT, hook::NO_ARGUMENT};

/// By what durations are told apart: `rsct_common::latency::by`.
#[unsafe(no_mangle)]
pub static LATENCY_BY: Global<u32> = Global::new(0);
/// From how many nanoseconds on a pass gets a record; zero for none.
#[unsafe(no_mangle)]
pub static LATENCY_SLOWER_THAN_NS: Global<u64> = Global::new(0);
/// How many buckets the table has.
#[unsafe(no_mangle)]
pub static LATENCY_TABLE_BUCKETS: Global<u32> = Global::new(0);

/// Where `nf_conntrack_locks` is, and how long; and `nf_conntrack_locks_all_lock`.
#[unsafe(no_mangle)]
pub static LATENCY_LOCKS: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
pub static LATENCY_LOCKS_BYTES: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
pub static LATENCY_ALL_LOCK: Global<u64> = Global::new(0);

/// The lock among the arguments of all names of `queued_spin_lock_slowpath`.
#[unsafe(no_mangle)]
pub static ARG_SLOWPATH_LOCK: Global<u64> = Global::new(NO_ARGUMENT);

/// Where `struct conntrack_gc_work` begins its work, and has the bucket that the next run begins with.
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
