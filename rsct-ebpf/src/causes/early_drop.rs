//! The table is full: somebody is thrown out for a new entry, or nobody could be.
//!
//! net/netfilter/nf_conntrack_core.c: `static noinline int early_drop(struct net *net, unsigned int hash)`

use aya_ebpf::{
    macros::{fexit, kretprobe, map},
    maps::PerCpuArray,
    programs::{FExitContext, RetProbeContext},
};

use crate::{
    globals::arg,
    kernel::args::{Arguments, Frame},
};

/// What `early_drop` came to last on this CPU.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Outcome {
    /// Where it was called from: its place on the kernel's stack.
    frame: u64,
    /// 1: it threw an entry out.
    evicted: u64,
    /// A number read back from a pointer, which the verifier does not let reckon with.
    number: u64,
}

#[map]
static EARLY_DROP: PerCpuArray<Outcome> = PerCpuArray::with_max_entries(1, 0);

#[fexit(function = "early_drop")]
pub fn early_drop_fexit(ctx: FExitContext) -> u32 {
    note(ctx.frame(), ctx.number(&arg::EARLY_DROP_RETURN));
    0
}

#[kretprobe]
pub fn early_drop_kretprobe(ctx: RetProbeContext) -> u32 {
    note(ctx.frame(), ctx.ret::<u64>());
    0
}

#[inline(always)]
fn note(frame: u64, returned: u64) {
    if let Some(outcome) = EARLY_DROP.get_ptr_mut(0) {
        // SAFETY: this CPU's own; a softirq in between is told apart by its frame.
        unsafe {
            (*outcome).evicted = returned as u32 as u64;
            core::ptr::write_volatile(&raw mut (*outcome).frame, frame);
        }
    }
}

/// How far `early_drop` can be below the function that calls it, on the stack.
const NESTED_BYTES: u64 = 4096;

/// What came of it in the allocation whose own place on the stack is `frame`: none where it was not called there.
#[inline(always)]
pub fn within(frame: u64) -> Option<bool> {
    let outcome = EARLY_DROP.get_ptr_mut(0)?;
    // SAFETY: this CPU's own.
    let (frame, theirs, evicted) = unsafe {
        core::ptr::write_volatile(&raw mut (*outcome).number, frame);
        (
            core::ptr::read_volatile(&raw const (*outcome).number),
            core::ptr::read_volatile(&raw const (*outcome).frame),
            (*outcome).evicted,
        )
    };
    if theirs == 0 || frame.wrapping_sub(theirs) >= NESTED_BYTES {
        return None;
    }
    // SAFETY: as above.
    unsafe { (*outcome).frame = 0 };
    Some(evicted & 0xff != 0)
}
