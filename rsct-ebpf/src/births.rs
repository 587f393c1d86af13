//! When each entry was born.
//!
//! The kernel gives a freed entry's memory to the next one at once (SLAB_TYPESAFE_BY_RCU), so an
//! address alone names no flow. The address with the time of its allocation does.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::HashMap};
use rsct_common::loss::Loss;

use crate::emit::{atomic_add, count};

const BPF_F_NO_PREALLOC: u32 = 1;

/// When each entry was allocated or first seen, by its address.
#[map]
static BIRTHS: HashMap<u64, u64> = HashMap::with_max_entries(1 << 18, BPF_F_NO_PREALLOC);

/// Goes up whenever an entry is born or gone. While it stands still, no address has changed hands, so
/// what a slot remembers of an entry holds without looking it up again.
#[unsafe(no_mangle)]
static mut EPOCH: u64 = 1;

/// The epoch now.
#[inline(always)]
pub fn epoch() -> u64 {
    // SAFETY: an aligned word that others only add to; volatile, so that it is really read.
    unsafe { core::ptr::read_volatile(&raw const EPOCH) }
}

/// The birth of the entry at `ct`, and whether this is its first sight: then it counts as born now.
#[inline(always)]
pub fn of(ct: u64, now: u64) -> (u64, bool) {
    // SAFETY: a copy of the value; it changes only when the entry is gone.
    if let Some(birth) = unsafe { BIRTHS.get(&ct) } {
        return (*birth, false);
    }
    (note(ct, now), true)
}

/// An entry was born at `ct`, whatever was there before.
#[inline(always)]
pub fn born(ct: u64, now: u64) {
    note(ct, now);
    atomic_add(&raw mut EPOCH);
}

/// The entry at `ct` is gone.
#[inline(always)]
pub fn gone(ct: u64) {
    // Not there means that it was born before anyone looked, or that the table was full: counted then.
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
