//! The histograms of durations.

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

/// Rows as laid out in `rsct_common::latency`.
#[map]
pub static TALLIES: PerCpuArray<Tally> = PerCpuArray::with_max_entries(ROWS, 0);

/// By function and protocol, or function and namespace: the function is the upper half. Its size is set at load time,
/// and it is preallocated: otherwise the kernel could fail to allocate a new key, which would then not be counted.
#[map]
pub static TALLIES_BY_KEY: PerCpuHashMap<u64, Tally> = PerCpuHashMap::with_max_entries(1, 0);

const BPF_NOEXIST: u64 = 1;

/// The keys by which durations can be grouped. Only the selected one is read.
pub trait Key {
    /// Returns the outcome.
    fn outcome(&self) -> u32;
    /// Returns the IP protocol.
    fn protonum(&self) -> u8;
    /// Returns the inode number of the namespace.
    fn netns(&self) -> u32;
    /// Returns the netfilter hook, below `rsct_common::latency::HOOKS`; zero if unknown.
    fn hook(&self) -> u32;
}

/// The key of locks and garbage collection, which belong to no flow.
pub struct NoKey;

impl Key for NoKey {
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

/// No atomics: a program does not interrupt itself on one CPU, and each row is written by one program. (A key's tally
/// too, because the function is part of the key.)
#[inline(always)]
fn put(tally: &mut Tally, value: u64) {
    tally[bucket(value)] += 1;
    tally[SUM] += value;
    if value > tally[MAX] {
        tally[MAX] = value;
    }
}

/// Returns the bucket, hidden from the compiler, which would remove the check that the verifier needs.
#[inline(always)]
fn bucket(value: u64) -> usize {
    let bucket = words::opaque(bucket_of(value) as u64) as usize;
    if bucket < SUM { bucket } else { SUM - 1 }
}

#[inline(always)]
fn row(index: u32) -> Option<&'static mut Tally> {
    // SAFETY: this CPU's value, which only this program writes: see above.
    TALLIES.get_ptr_mut(index).map(|tally| unsafe { &mut *tally })
}

#[inline(always)]
fn keyed(function: Function, key: u32) -> Option<&'static mut Tally> {
    let key = (function as u64) << 32 | key as u64;
    if let Some(tally) = TALLIES_BY_KEY.get_ptr_mut(&key) {
        // SAFETY: as above.
        return Some(unsafe { &mut *tally });
    }
    // Another CPU may be faster: then the key already exists.
    let _ = TALLIES_BY_KEY.insert(&key, TALLIES.get(ZEROES)?, BPF_NOEXIST);
    let tally = TALLIES_BY_KEY.get_ptr_mut(&key);
    if tally.is_none() {
        count(Loss::TallyUnkept);
    }
    // SAFETY: as above.
    tally.map(|tally| unsafe { &mut *tally })
}
