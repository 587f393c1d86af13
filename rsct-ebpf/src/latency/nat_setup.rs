//! Duration of the search for an entry's translation.
//!
//! net/netfilter/nf_nat_core.c:
//! `unsigned int nf_nat_setup_info(struct nf_conn *ct, const struct nf_nat_range2 *range, enum nf_nat_manip_type maniptype)`

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::latency::{Function, NatOutcome};
use rsct_ebpf::{
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        nf_conn::NfConn,
    },
    scratch::Slot,
};

use crate::{
    flow::{self, Flow},
    globals::{ARG_SETUP_CT, ARG_SETUP_RETURN},
    timing::{self, now_ns},
};

/// `NF_ACCEPT`.
const ACCEPT: u32 = 1;

#[fentry(function = "nf_nat_setup_info")]
pub fn setup_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn setup_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) {
    let ct = ctx.pointer(&ARG_SETUP_CT) as u64;
    if let Some(state) = timing::state(Function::NatSetup)
        && let Some(slot) = state.entered(ct, ctx.frame())
    {
        slot.claimed_ns = now_ns();
    }
}

#[fexit(function = "nf_nat_setup_info")]
pub fn setup_fexit(ctx: FExitContext) -> u32 {
    let ct = NfConn::<Typed>::new(ctx.pointer(&ARG_SETUP_CT));
    if let Some(state) = timing::state(Function::NatSetup)
        && let Some(claim) = state.left_by(ct.address(), ctx.frame())
    {
        let took_ns = now_ns() - claim.slot.claimed_ns;
        leave(
            &ctx,
            claim.slot,
            ct,
            ctx.number(&ARG_SETUP_RETURN) as u32,
            took_ns,
        );
        claim.free();
    }
    0
}

#[kretprobe]
pub fn setup_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(state) = timing::state(Function::NatSetup)
        && let Some(claim) = state.left(ctx.frame())
    {
        let took_ns = now_ns() - claim.slot.claimed_ns;
        let ct = NfConn::<Untyped>::new(claim.slot.owner as *const u8);
        leave(&ctx, claim.slot, ct, ctx.ret(), took_ns);
        claim.free();
    }
    0
}

#[inline(always)]
fn leave<C: EbpfContext + Frame, M: Memory>(
    ctx: &C,
    slot: &mut Slot<()>,
    entry: NfConn<M>,
    verdict: u32,
    took_ns: u64,
) {
    let outcome = if verdict == ACCEPT {
        NatOutcome::Bound
    } else {
        NatOutcome::Failed
    };
    let flow = Flow {
        entry,
        outcome: outcome as u8,
    };
    flow::count(ctx, slot, Function::NatSetup, flow, took_ns);
}
