//! Records into the ring, and the counts of lost ones.

use core::mem::MaybeUninit;

use aya_ebpf::maps::ring_buf::RingBufEntry;
use rsct_common::loss::Loss;

use crate::maps::{LOST, RECORDS};

/// User space polls on a timer: a wakeup for every record would cost more than the record.
const BPF_RB_NO_WAKEUP: u64 = 1;

/// Copies `record` into the ring, word by word, or counts it as lost.
#[inline(always)]
pub fn emit<T: 'static>(record: &T, loss: Loss) {
    const { assert!(size_of::<T>().is_multiple_of(8)) };
    let Some(mut room) = RECORDS.reserve::<T>(0) else {
        count(loss);
        return;
    };
    let from: *const u64 = core::ptr::from_ref(record).cast();
    let to: *mut u64 = MaybeUninit::as_mut_ptr(&mut *room).cast();
    let mut word = 0;
    while word < size_of::<T>() / 8 {
        // SAFETY: both are `T`s, of this many words; volatile keeps the copy in words.
        unsafe { to.add(word).write_volatile(from.add(word).read()) };
        word += 1;
    }
    room.submit(BPF_RB_NO_WAKEUP);
}

/// Reserves a record in the ring, of which the caller writes every byte, or counts it as lost.
///
/// For records that several programs write: a closure of theirs would become a function of its own, which costs each
/// packet 35 instructions.
#[inline(always)]
pub fn reserve<T: 'static>(loss: Loss) -> Option<RingBufEntry<T>> {
    let room = RECORDS.reserve::<T>(0);
    if room.is_none() {
        count(loss);
    }
    room
}

/// Completes a reserved record.
#[inline(always)]
pub fn submit<T: 'static>(room: RingBufEntry<T>) {
    room.submit(BPF_RB_NO_WAKEUP);
}

/// Lets `fill` write a record in place, every byte of it, or counts it as lost.
#[inline(always)]
pub fn emit_in_place<T: 'static>(loss: Loss, fill: impl FnOnce(*mut T)) {
    if let Some(mut room) = reserve(loss) {
        fill(room.as_mut_ptr());
        submit(room);
    }
}

/// Counts a loss on this CPU.
#[inline(always)]
pub fn count(loss: Loss) {
    if let Some(counters) = LOST.get_ptr_mut(0) {
        // SAFETY: a per-CPU value; a softirq between load and store would lose one count of the
        // same CPU, so the addition is one instruction.
        let counter = unsafe { &raw mut (*counters)[loss as usize] };
        atomic_add(counter);
    }
}

/// Adds one.
#[inline(always)]
pub fn atomic_add(counter: *mut u64) {
    atomic_add_many(counter, 1);
}

/// A single instruction (BPF_ATOMIC), which `core::sync::atomic` does not offer on the BPF target.
#[inline(always)]
pub fn atomic_add_many(counter: *mut u64, many: u64) {
    // SAFETY: aligned and alive.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({counter} + 0) += {many}",
            counter = in(reg) counter,
            many = in(reg) many,
            options(nostack, preserves_flags),
        );
    }
}

/// Returns the number of this CPU.
///
/// The helper's result is a register of 64 bits, of which aya declares 32: then LLVM zeroes the others.
#[inline(always)]
pub fn cpu() -> u64 {
    const GET_SMP_PROCESSOR_ID: usize = 8;
    // SAFETY: the number of a helper without arguments is called as its address is.
    unsafe {
        let helper = core::mem::transmute::<usize, extern "C" fn() -> u64>(GET_SMP_PROCESSOR_ID);
        helper()
    }
}
