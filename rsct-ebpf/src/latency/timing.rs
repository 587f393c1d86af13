//! The entry time of a function until it returns, and the counts of calls.

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::map, maps::PerCpuArray};
use rsct_common::{
    latency::{COUNTS, Count, Function, STATE_WORDS},
    loss::Loss,
};
use rsct_ebpf::scratch::{Claim, Slot, Slots};

/// A CPU's state of one function.
///
/// A program does not interrupt itself on one CPU (see `scratch`), and each count is written by one program:
/// additions need no atomics.
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

/// Returns this CPU's state.
#[inline(always)]
pub fn state(function: Function) -> Option<&'static mut State> {
    // SAFETY: a per-CPU value; `scratch` explains who else can access it.
    STATES
        .get_ptr_mut(function as u32)
        .map(|state| unsafe { &mut *state })
}

/// Reads the clock.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_ns() }
}

impl State {
    /// Adds one.
    #[inline(always)]
    pub fn count(&mut self, what: Count) {
        self.counts[what as usize] += 1;
    }

    /// Claims a slot for `owner` in the function entered at `frame`. The caller reads the clock last, so that the
    /// duration does not include rsct's own cost.
    #[inline(always)]
    pub fn entered(&mut self, owner: u64, frame: u64) -> Option<&mut Slot<()>> {
        self.counts[Count::Entered as usize] += 1;
        let claim = self.slots.claim(owner, frame, Loss::OperationForgotten)?;
        Some(claim.slot)
    }

    /// Finds the slot of the function entered at `frame`. Free it after the last read: until then no slot can be
    /// claimed, because the kernel would refuse the exit of that claim, and a later call could use the stale slot.
    #[inline(always)]
    pub fn left(&mut self, frame: u64) -> Option<Claim<'_, ()>> {
        let claim = self.slots.claimed_at(frame)?;
        self.counts[Count::Left as usize] += 1;
        Some(claim.begin_exit())
    }

    /// Records that the slot belongs to an earlier call whose exit did not run: that call counts as unfinished.
    #[inline(always)]
    pub fn was_left_behind(&mut self) {
        self.counts[Count::Left as usize] -= 1;
    }

    /// The same if the owner is known.
    #[inline(always)]
    pub fn left_by(&mut self, owner: u64, frame: u64) -> Option<Claim<'_, ()>> {
        let claim = self.slots.claimed_by(owner, frame)?;
        self.counts[Count::Left as usize] += 1;
        Some(claim.begin_exit())
    }
}

/// Turns a pointer, whose origin the verifier tracks, into a number. Only one program of each function may use it.
#[inline(always)]
pub fn number(of: Function, known: u64) -> Option<u64> {
    let number = &raw mut state(of)?.number;
    // SAFETY: a field of the state.
    unsafe {
        number.write_volatile(known);
        Some(number.read_volatile())
    }
}
