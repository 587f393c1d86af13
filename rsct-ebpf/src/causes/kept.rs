//! The arguments of a function until it returns: a kretprobe has none.

use aya_ebpf::maps::PerCpuArray;
use rsct_common::loss::Loss;

use crate::scratch::Slots;

/// A function's calls in progress on a CPU.
pub type Kept = Slots<u64>;

/// Keeps the owner and a number for the function entered at `frame`.
#[inline(always)]
pub fn keep(map: &'static PerCpuArray<Kept>, frame: u64, owner: u64, number: u64) {
    if let Some(slots) = map.get_ptr_mut(0)
        // SAFETY: this CPU's slots; `scratch` explains who else can access them.
        && let Some(claim) = unsafe { &mut *slots }.claim(owner, frame, Loss::OperationForgotten)
    {
        claim.slot.number = number;
    }
}

/// Passes `then` the values kept when the function at `frame` was entered.
#[inline(always)]
pub fn kept(map: &'static PerCpuArray<Kept>, frame: u64, then: impl FnOnce(u64, u64)) {
    if let Some(slots) = map.get_ptr_mut(0)
        // SAFETY: as above.
        && let Some(claim) = unsafe { &mut *slots }.claimed_at(frame)
    {
        let claim = claim.begin_exit();
        then(claim.slot.owner, claim.slot.number);
        claim.free();
    }
}
