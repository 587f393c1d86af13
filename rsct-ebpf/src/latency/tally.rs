//! Where durations are counted.

use aya_ebpf::{
    macros::map,
    maps::{PerCpuArray, PerCpuHashMap},
};
use rsct_common::{
    latency::{Function, MAX, ROWS, SUM, Tally, ZEROES, bucket_of, by},
    loss::Loss,
};
use rsct_ebpf::{emit::count, words};

use crate::globals::LATENCY_BY;

/// Rows as `rsct_common::latency` lays them out.
#[map]
pub static TALLIES: PerCpuArray<Tally> = PerCpuArray::with_max_entries(ROWS, 0);

/// By function and protocol, or function and namespace: the function in the upper half. Its size is set when it is
/// loaded, and all of it is there from the start: a key that came while the kernel had no such memory at hand would go
/// uncounted.
#[map]
pub static TALLIES_BY_KEY: PerCpuHashMap<u64, Tally> = PerCpuHashMap::with_max_entries(1, 0);

const BPF_NOEXIST: u64 = 1;

/// By what a duration can be told apart from others. Only what is asked for is read.
pub trait Key {
    /// What came of it.
    fn outcome(&self) -> u32;
    /// The IP protocol.
    fn protonum(&self) -> u8;
    /// The inode number of the namespace.
    fn netns(&self) -> u32;
    /// Netfilter's hook, below `rsct_common::latency::HOOKS`; zero where none is known.
    fn hook(&self) -> u32;
}

/// What has no such key: locks and garbage collection belong to nobody.
pub struct Nobodys;

impl Key for Nobodys {
    #[inline(always)]
    fn outcome(&self) -> u32 {
        0
    }

    #[inline(always)]
    fn protonum(&self) -> u8 {
        0
    }

    #[inline(always)]
    fn netns(&self) -> u32 {
        0
    }

    #[inline(always)]
    fn hook(&self) -> u32 {
        0
    }
}

/// Counts a duration.
#[inline(always)]
pub fn add(function: Function, key: &impl Key, ns: u64) {
    let tally = match LATENCY_BY.load() {
        by::OUTCOME => row(function.first_row() + key.outcome()),
        by::HOOK => row(function.first_row() + key.hook()),
        by::PROTO => keyed(function, key.protonum() as u32),
        by::NETNS => keyed(function, key.netns()),
        _ => row(function.first_row()),
    };
    if let Some(tally) = tally {
        put(tally, ns);
    }
}

/// Counts a value in a row of its own.
#[inline(always)]
pub fn add_to_row(index: u32, value: u64) {
    if let Some(tally) = row(index) {
        put(tally, value);
    }
}

/// No atomics: a program does not interrupt itself on one CPU, and each row is one program's. (A key's tally is one
/// program's too, as the function is part of the key.)
#[inline(always)]
fn put(tally: &mut Tally, value: u64) {
    tally[bucket(value)] += 1;
    tally[SUM] += value;
    if value > tally[MAX] {
        tally[MAX] = value;
    }
}

/// The bucket, in a form in which the verifier sees that it is one: the compiler knows, and would leave the check out.
#[inline(always)]
fn bucket(value: u64) -> usize {
    let bucket = words::opaque(bucket_of(value) as u64) as usize;
    if bucket < SUM { bucket } else { SUM - 1 }
}

#[inline(always)]
fn row(index: u32) -> Option<&'static mut Tally> {
    // SAFETY: this CPU's value, and nobody else's: see above.
    TALLIES.get_ptr_mut(index).map(|tally| unsafe { &mut *tally })
}

#[inline(always)]
fn keyed(function: Function, key: u32) -> Option<&'static mut Tally> {
    let key = (function as u64) << 32 | key as u64;
    if let Some(tally) = TALLIES_BY_KEY.get_ptr_mut(&key) {
        // SAFETY: as above.
        return Some(unsafe { &mut *tally });
    }
    // Another CPU may be faster: then it is there already.
    let _ = TALLIES_BY_KEY.insert(&key, TALLIES.get(ZEROES)?, BPF_NOEXIST);
    let tally = TALLIES_BY_KEY.get_ptr_mut(&key);
    if tally.is_none() {
        count(Loss::TallyUnkept);
    }
    // SAFETY: as above.
    tally.map(|tally| unsafe { &mut *tally })
}
