//! Duration of the confirm, until a flow's entry is in the table.
//!
//! net/netfilter/nf_conntrack_core.c: `int __nf_conntrack_confirm(struct sk_buff *skb)`

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::latency::{ConfirmOutcome, Function};
use rsct_ebpf::{
    globals::arg,
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        nf_conn::{IPS_CONFIRMED, NfConn},
        sk_buff::{Nfct, SkBuff},
    },
    scratch::Slot,
};

use crate::{
    flow::{self, Flow},
    timing::{self, now_ns},
};

/// `NF_ACCEPT`.
const ACCEPT: u32 = 1;

#[fentry(function = "__nf_conntrack_confirm")]
pub fn confirm_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn confirm_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) {
    let skb = SkBuff::<C::Pointer>::new(ctx.pointer(&arg::CONFIRM_SKB));
    let came = skb.nfct().0;
    if let Some(state) = timing::state(Function::Confirm)
        && let Some(slot) = state.entered(skb.address(), ctx.frame())
    {
        slot.nfct = came;
        slot.claimed_ns = now_ns();
    }
}

#[fexit(function = "__nf_conntrack_confirm")]
pub fn confirm_fexit(ctx: FExitContext) -> u32 {
    let skb = SkBuff::<Typed>::new(ctx.pointer(&arg::CONFIRM_SKB));
    if let Some(state) = timing::state(Function::Confirm)
        && let Some(claim) = state.left_by(skb.address(), ctx.frame())
    {
        let took_ns = now_ns() - claim.slot.claimed_ns;
        let verdict = ctx.number(&arg::CONFIRM_RETURN) as u32;
        let is_its_own = leave(&ctx, claim.slot, skb, verdict, took_ns);
        claim.free();
        if !is_its_own {
            state.was_left_behind();
        }
    }
    0
}

#[kretprobe]
pub fn confirm_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(state) = timing::state(Function::Confirm)
        && let Some(claim) = state.left(ctx.frame())
    {
        let took_ns = now_ns() - claim.slot.claimed_ns;
        let skb = SkBuff::<Untyped>::new(claim.slot.owner as *const u8);
        let is_its_own = leave(&ctx, claim.slot, skb, ctx.ret(), took_ns);
        claim.free();
        if !is_its_own {
            state.was_left_behind();
        }
    }
    0
}

/// Counts the call and returns true, or returns false if the slot belongs to an earlier call. The kernel can skip
/// that call's exit and this call's entry; the slot still matches if both packets had the same address. The entry
/// shows it: the loser of a clash is not confirmed.
#[inline(always)]
fn leave<C: EbpfContext + Frame, M: Memory>(
    ctx: &C,
    slot: &mut Slot<()>,
    skb: SkBuff<M>,
    verdict: u32,
    took_ns: u64,
) -> bool {
    // After a resolved clash, the packet has the entry that was inserted first.
    let leaves = skb.nfct().ct();
    let came = Nfct(slot.nfct).ct();
    let outcome = if verdict != ACCEPT {
        ConfirmOutcome::Dropped
    } else if leaves == came {
        ConfirmOutcome::Inserted
    } else if NfConn::<Untyped>::new(came).status() & IPS_CONFIRMED != 0 {
        return false;
    } else {
        ConfirmOutcome::Clash
    };
    let flow = Flow {
        entry: NfConn::<Untyped>::new(leaves),
        outcome: outcome as u8,
    };
    flow::count(ctx, slot, Function::Confirm, flow, took_ns);
    true
}
