//! Time that conntrack needs to take the locks of its table.
//!
//! net/netfilter/nf_conntrack_core.c: `void nf_conntrack_lock(spinlock_t *lock)`, and
//! `static bool nf_conntrack_double_lock(unsigned int h1, unsigned int h2, unsigned int sequence)`
//!
//! The latter takes the first lock of a pair with the former and the second directly; many kernels inline it, and the
//! duration for the second lock is then unknown.

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::latency::Function;
use rsct_ebpf::kernel::args::Frame;

use crate::{
    slow::{self, Slow},
    tally::{self, NoKey},
    timing::{self, now_ns},
};

#[fentry(function = "nf_conntrack_lock")]
pub fn lock_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx, Function::Lock);
    0
}

#[fexit(function = "nf_conntrack_lock")]
pub fn lock_fexit(ctx: FExitContext) -> u32 {
    leave(&ctx, Function::Lock);
    0
}

#[kprobe]
pub fn lock_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx, Function::Lock);
    0
}

#[kretprobe]
pub fn lock_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(&ctx, Function::Lock);
    0
}

#[fentry(function = "nf_conntrack_double_lock")]
pub fn double_lock_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx, Function::DoubleLock);
    0
}

#[fexit(function = "nf_conntrack_double_lock")]
pub fn double_lock_fexit(ctx: FExitContext) -> u32 {
    leave(&ctx, Function::DoubleLock);
    0
}

#[kprobe]
pub fn double_lock_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx, Function::DoubleLock);
    0
}

#[kretprobe]
pub fn double_lock_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(&ctx, Function::DoubleLock);
    0
}

#[inline(always)]
fn enter<C: Frame>(ctx: &C, function: Function) {
    if let Some(state) = timing::state(function)
        && let Some(slot) = state.entered(0, ctx.frame())
    {
        slot.claimed_ns = now_ns();
    }
}

#[inline(always)]
fn leave<C: EbpfContext + Frame>(ctx: &C, function: Function) {
    if let Some(state) = timing::state(function)
        && let Some(claim) = state.left(ctx.frame())
    {
        let slot = &mut *claim.slot;
        let took_ns = now_ns() - slot.claimed_ns;
        tally::add(function, &NoKey, took_ns);
        if slow::is_slow(took_ns) {
            let slow = Slow::without_flow(function, slot.claimed_ns, took_ns);
            slow::send(ctx, &mut slot.number, slow);
        }
        claim.free();
    }
}
