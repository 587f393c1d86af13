//! Time that conntrack waits for a lock of its table held by another CPU.
//!
//! kernel/locking/qspinlock.c: `void queued_spin_lock_slowpath(struct qspinlock *lock, u32 val)`, which is called
//! only for a lock that is not free; on x86 its name is `native_queued_spin_lock_slowpath`, and in a guest with
//! paravirtual spinlocks `__pv_queued_spin_lock_slowpath`. Conntrack's locks are an array, `nf_conntrack_locks`, and
//! one for all of them while the table is resized, `nf_conntrack_locks_all_lock` (net/netfilter/nf_conntrack_core.c).

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::latency::Function;
use rsct_ebpf::kernel::args::{Arguments, Frame};

use crate::{
    globals::{ARG_SLOWPATH_LOCK, LATENCY_ALL_LOCK, LATENCY_LOCKS, LATENCY_LOCKS_BYTES},
    slow::{self, Slow},
    tally::{self, NoKey},
    timing::{self, now_ns},
};

#[fentry]
pub fn slowpath_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[fexit]
pub fn slowpath_fexit(ctx: FExitContext) -> u32 {
    leave(&ctx);
    0
}

#[kprobe]
pub fn slowpath_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[kretprobe]
pub fn slowpath_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(&ctx);
    0
}

// A kprobe program has only one function.

#[fentry]
pub fn pv_slowpath_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[fexit]
pub fn pv_slowpath_fexit(ctx: FExitContext) -> u32 {
    leave(&ctx);
    0
}

#[kprobe]
pub fn pv_slowpath_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[kretprobe]
pub fn pv_slowpath_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(&ctx);
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) {
    if is_conntracks(ctx.number(&ARG_SLOWPATH_LOCK))
        && let Some(state) = timing::state(Function::Contention)
        && let Some(slot) = state.entered(0, ctx.frame())
    {
        slot.claimed_ns = now_ns();
    }
}

/// A slot of this call exists only if the lock is conntrack's.
#[inline(always)]
fn leave<C: EbpfContext + Frame>(ctx: &C) {
    if let Some(state) = timing::state(Function::Contention)
        && let Some(claim) = state.left(ctx.frame())
    {
        let slot = &mut *claim.slot;
        let took_ns = now_ns() - slot.claimed_ns;
        tally::add(Function::Contention, &NoKey, took_ns);
        if slow::is_slow(took_ns) {
            let slow = Slow::without_flow(Function::Contention, slot.claimed_ns, took_ns);
            slow::send(ctx, &mut slot.number, slow);
        }
        claim.free();
    }
}

/// Reads the address back from memory, so that it is compared as a number.
#[inline(always)]
fn is_conntracks(lock: u64) -> bool {
    let Some(lock) = timing::number(Function::Contention, lock) else {
        return false;
    };
    lock.wrapping_sub(LATENCY_LOCKS.load()) < LATENCY_LOCKS_BYTES.load() || lock == LATENCY_ALL_LOCK.load()
}
