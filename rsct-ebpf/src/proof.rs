//! Proof that the kernel runs attached programs: they count the calls of a function that a test run calls.
//!
//! net/bpf/test_run.c: `int bpf_fentry_test1(int a)`, called by a test run of a tracing program.

use aya_ebpf::{
    macros::{fentry, kprobe, map},
    maps::Array,
    programs::{FEntryContext, ProbeContext},
};

/// The calls counted by each program: fentry, kprobe.
#[map]
static PROOF: Array<u64> = Array::with_max_entries(2, 0);

#[fentry(function = "bpf_fentry_test1")]
pub fn proof_fentry(_ctx: FEntryContext) -> u32 {
    count(0);
    0
}

#[kprobe]
pub fn proof_kprobe(_ctx: ProbeContext) -> u32 {
    count(1);
    0
}

#[inline(always)]
fn count(form: u32) {
    if let Some(calls) = PROOF.get_ptr_mut(form) {
        // SAFETY: the map's own value; one test run at a time calls the function.
        unsafe { *calls += 1 };
    }
}
