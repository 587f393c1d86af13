//! What came of a function that another one calls, for the program at that one's end.

use aya_ebpf::maps::PerCpuArray;

use crate::scratch::NESTED_BYTES;

/// What came of it last on this CPU.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Nested {
    /// Where it was called from: its place on the kernel's stack.
    frame: u64,
    /// A number read back from a pointer, which the verifier does not let reckon with.
    number: u64,
    outcome: u64,
}

impl Nested {
    /// Notes what came of the function whose own place on the stack is `frame`.
    #[inline(always)]
    pub fn note(map: &PerCpuArray<Self>, frame: u64, outcome: u64) {
        if let Some(nested) = map.get_ptr_mut(0) {
            // SAFETY: this CPU's own; a softirq in between is told apart by its frame.
            unsafe {
                (*nested).outcome = outcome;
                core::ptr::write_volatile(&raw mut (*nested).frame, frame);
            }
        }
    }

    /// What came of it within the function whose own place on the stack is `frame`: none where it was not called there.
    #[inline(always)]
    pub fn within(map: &PerCpuArray<Self>, frame: u64) -> Option<u64> {
        let nested = map.get_ptr_mut(0)?;
        // SAFETY: this CPU's own.
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
