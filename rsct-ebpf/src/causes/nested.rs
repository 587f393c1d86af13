//! The result of a called function, for the exit program of its caller.

use aya_ebpf::maps::PerCpuArray;

use crate::scratch::NESTED_BYTES;

/// The last result on this CPU.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Nested {
    /// The stack position of the call.
    frame: u64,
    /// A number read back from a pointer, with which the verifier allows no arithmetic.
    number: u64,
    outcome: u64,
}

impl Nested {
    /// Records the result of the function at the stack position `frame`.
    #[inline(always)]
    pub fn note(map: &PerCpuArray<Self>, frame: u64, outcome: u64) {
        if let Some(nested) = map.get_ptr_mut(0) {
            // SAFETY: data of this CPU; the frame distinguishes a softirq in between.
            unsafe {
                (*nested).outcome = outcome;
                core::ptr::write_volatile(&raw mut (*nested).frame, frame);
            }
        }
    }

    /// Returns the result of the call made by the function at the stack position `frame`: none if it made no such
    /// call.
    #[inline(always)]
    pub fn within(map: &PerCpuArray<Self>, frame: u64) -> Option<u64> {
        let nested = map.get_ptr_mut(0)?;
        // SAFETY: data of this CPU.
        let (theirs, frame, outcome) = unsafe {
            core::ptr::write_volatile(&raw mut (*nested).number, frame);
            (
                core::ptr::read_volatile(&raw const (*nested).frame),
                core::ptr::read_volatile(&raw const (*nested).number),
                (*nested).outcome,
            )
        };
        if theirs == 0 || frame.wrapping_sub(theirs) >= NESTED_BYTES {
            return None;
        }
        // SAFETY: as above.
        unsafe { (*nested).frame = 0 };
        Some(outcome)
    }
}
