//! The cost of measuring: the clock alone, and a pair of programs like the others on a kernel function that does
//! nothing.
//!
//! net/bpf/test_run.c: `int bpf_fentry_test1(int a)`, called by a test run of a tracing program.

use core::hint::black_box;

use aya_ebpf::{
    macros::{classifier, fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext, TcContext},
};
use rsct_common::latency::{CLOCK_READS, Function};
use rsct_ebpf::kernel::args::Frame;

use crate::{
    tally::{self, NoKey},
    timing::{self, now_ns},
};

#[fentry(function = "bpf_fentry_test1")]
pub fn nothing_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[fexit(function = "bpf_fentry_test1")]
pub fn nothing_fexit(ctx: FExitContext) -> u32 {
    leave(&ctx);
    0
}

#[kprobe]
pub fn nothing_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[kretprobe]
pub fn nothing_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(&ctx);
    0
}

#[inline(always)]
fn enter<C: Frame>(ctx: &C) {
    if let Some(state) = timing::state(Function::Nothing)
        && let Some(slot) = state.entered(0, ctx.frame())
    {
        slot.claimed_ns = now_ns();
    }
}

#[inline(always)]
fn leave<C: Frame>(ctx: &C) {
    if let Some(state) = timing::state(Function::Nothing)
        && let Some(claim) = state.left(ctx.frame())
    {
        let took_ns = now_ns() - claim.slot.claimed_ns;
        tally::add(Function::Nothing, &NoKey, took_ns);
        claim.free();
    }
}

/// Reads the clock [`CLOCK_READS`] times.
#[classifier]
pub fn clock(_ctx: TcContext) -> i32 {
    let mut read = 0;
    while read < CLOCK_READS {
        black_box(now_ns());
        read += 1;
    }
    0
}

/// Does nothing: the baseline duration of a test run.
#[classifier]
pub fn no_clock(_ctx: TcContext) -> i32 {
    0
}
