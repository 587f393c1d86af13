//! The birth time of each entry.
//!
//! The kernel reuses a freed entry's memory at once (SLAB_TYPESAFE_BY_RCU), so an address alone does not identify a
//! flow. The address and the time of its allocation do.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::HashMap};
use rsct_common::loss::Loss;

use crate::emit::{atomic_add, count};

const BPF_F_NO_PREALLOC: u32 = 1;

/// The time at which each entry was allocated or first seen, by the entry's address.
#[map]
static BIRTHS: HashMap<u64, u64> = HashMap::with_max_entries(1 << 18, BPF_F_NO_PREALLOC);

/// Increases with every birth and every destroyed entry. While it is unchanged, no address has been reused, and the
/// entry data in a slot is valid without another lookup.
#[unsafe(no_mangle)]
static mut EPOCH: u64 = 1;

/// Returns the current epoch.
#[inline(always)]
pub fn epoch() -> u64 {
    // SAFETY: an aligned word that others only add to; volatile, so that it is really read.
    unsafe { core::ptr::read_volatile(&raw const EPOCH) }
}

/// Returns the birth of the entry at `ct`, and true if this is its first sight: then it counts as born now.
#[inline(always)]
pub fn of(ct: u64, now: u64) -> (u64, bool) {
    // SAFETY: a copy of the value, which changes only when the entry is destroyed.
    if let Some(birth) = unsafe { BIRTHS.get(&ct) } {
        return (*birth, false);
    }
    (note(ct, now), true)
}

/// Records the birth of an entry at `ct`, and replaces the birth of an earlier entry at that address.
#[inline(always)]
pub fn born(ct: u64, now: u64) {
    note(ct, now);
    atomic_add(&raw mut EPOCH);
}

/// Removes the birth of a destroyed entry.
#[inline(always)]
pub fn destroyed(ct: u64) {
    // Missing if the entry is older than the trace, or if the table was full: counted then.
    let _ = BIRTHS.remove(&ct);
    atomic_add(&raw mut EPOCH);
}

#[inline(always)]
fn note(ct: u64, now: u64) -> u64 {
    if BIRTHS.insert(&ct, &now, BPF_ANY as u64).is_err() {
        count(Loss::BirthUnknown);
        return 0;
    }
    now
}
