//! When a function was entered, kept until it is left; and how many were.

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::map, maps::PerCpuArray};
use rsct_common::{
    latency::{COUNTS, Count, Function, STATE_WORDS},
    loss::Loss,
};
use rsct_ebpf::scratch::{Claim, Slot, Slots};

/// What a CPU knows of one function.
///
/// A program does not interrupt itself on one CPU (see `scratch`), and each count is one program's: adding to it
/// needs no atomics.
#[repr(C)]
pub struct State {
    /// By `rsct_common::latency::Count`.
    counts: [u64; COUNTS],
    /// A number read back from a pointer: see [`number`].
    number: u64,
    slots: Slots<()>,
}

const _: () = assert!(size_of::<State>() == STATE_WORDS * 8);

/// A row for each function.
#[map]
pub static STATES: PerCpuArray<State> = PerCpuArray::with_max_entries(Function::Nothing as u32 + 1, 0);

/// This CPU's.
#[inline(always)]
pub fn state(function: Function) -> Option<&'static mut State> {
    // SAFETY: a per-CPU value; see `scratch` for who else may look at it meanwhile.
    STATES
        .get_ptr_mut(function as u32)
        .map(|state| unsafe { &mut *state })
}

/// The clock.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_ns() }
}

impl State {
    /// One more.
    #[inline(always)]
    pub fn count(&mut self, what: Count) {
        self.counts[what as usize] += 1;
    }

    /// The function was entered at `frame`, for `owner`. The clock is yet to be read, and last of all: what is shown is
    /// conntrack's, not ours.
    #[inline(always)]
    pub fn entered(&mut self, owner: u64, frame: u64) -> Option<&mut Slot<()>> {
        self.counts[Count::Entered as usize] += 1;
        let claim = self.slots.claim(owner, frame, Loss::OperationForgotten)?;
        Some(claim.slot)
    }

    /// What was remembered when the function was entered at `frame`. To be freed once nothing of it is read any more:
    /// until then nobody claims a slot, as the kernel would not run the exit for that one, and what it left behind could
    /// be taken for a later call's.
    #[inline(always)]
    pub fn left(&mut self, frame: u64) -> Option<Claim<'_, ()>> {
        let claim = self.slots.claimed_at(frame)?;
        self.counts[Count::Left as usize] += 1;
        Some(claim.at_work())
    }

    /// The slot belonged to an earlier call, whose exit did not run: that call counts as unfinished.
    #[inline(always)]
    pub fn was_left_behind(&mut self) {
        self.counts[Count::Left as usize] -= 1;
    }

    /// The same where it is known for whom it was entered.
    #[inline(always)]
    pub fn left_by(&mut self, owner: u64, frame: u64) -> Option<Claim<'_, ()>> {
        let claim = self.slots.claimed_by(owner, frame)?;
        self.counts[Count::Left as usize] += 1;
        Some(claim.at_work())
    }
}

/// What the verifier knows by its origin, as a number it knows nothing of. For one program of each function alone.
#[inline(always)]
pub fn number(of: Function, known: u64) -> Option<u64> {
    let number = &raw mut state(of)?.number;
    // SAFETY: its own field.
    unsafe {
        number.write_volatile(known);
        Some(number.read_volatile())
    }
}
