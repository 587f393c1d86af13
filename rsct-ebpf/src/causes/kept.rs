//! What a function was called with, until it is left: a kretprobe has no arguments.

use aya_ebpf::maps::PerCpuArray;
use rsct_common::loss::Loss;

use crate::scratch::Slots;

/// A function's calls that are under way on a CPU.
pub type Kept = Slots<u64>;

/// Keeps whom the function entered at `frame` is about, and a number beside.
#[inline(always)]
pub fn keep(map: &'static PerCpuArray<Kept>, frame: u64, owner: u64, number: u64) {
    if let Some(slots) = map.get_ptr_mut(0)
        // SAFETY: this CPU's slots; see `scratch` for who else may look at them meanwhile.
        && let Some(claim) = unsafe { &mut *slots }.claim(owner, frame, Loss::OperationForgotten)
    {
        claim.slot.number = number;
    }
}

/// Hands over what was kept when the function at `frame` was entered.
#[inline(always)]
pub fn kept(map: &'static PerCpuArray<Kept>, frame: u64, then: impl FnOnce(u64, u64)) {
    if let Some(slots) = map.get_ptr_mut(0)
        // SAFETY: as above.
        && let Some(claim) = unsafe { &mut *slots }.claimed_at(frame)
    {
        let claim = claim.at_work();
        then(claim.slot.owner, claim.slot.number);
        claim.free();
    }
}
