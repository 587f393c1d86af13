//! The first packet of a flow passes all hooks, and its entry is inserted into the table.
//!
//! net/netfilter/nf_conntrack_core.c: `int __nf_conntrack_confirm(struct sk_buff *skb)`

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::record::{EntryFlags, EntryKind, EntryRecord};

use super::entry::{self, Operation};
use crate::{
    globals::arg,
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        nf_conn::NfConn,
        sk_buff::SkBuff,
    },
    policy,
    scratch::Claim,
};

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
    let ct = NfConn::<Untyped>::new(skb.nfct().ct());
    if ct.address() == 0 {
        return;
    }
    if let Some(claim) = entry::begin(Operation::Confirm, skb.address(), ctx.frame())
        && entry::describe(claim.slot, EntryKind::Confirm, ct)
    {
        // An nftables rule may have assigned a policy since conntrack saw the packet.
        let record = &claim.slot.record;
        policy::send(ct, record.birth_ns, record.netns);
    }
}

#[fexit(function = "__nf_conntrack_confirm")]
pub fn confirm_fexit(ctx: FExitContext) -> u32 {
    let skb = SkBuff::<Typed>::new(ctx.pointer(&arg::CONFIRM_SKB));
    if let Some(claim) = entry::begun_by(Operation::Confirm, skb.address(), ctx.frame()) {
        leave(claim, skb, ctx.number(&arg::CONFIRM_RETURN) as i32);
    }
    0
}

#[kretprobe]
pub fn confirm_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(claim) = entry::begun(Operation::Confirm, ctx.frame()) {
        let skb = SkBuff::<Untyped>::new(claim.slot.owner as *const u8);
        leave(claim, skb, ctx.ret());
    }
    0
}

#[inline(always)]
fn leave<M: Memory>(claim: Claim<'_, EntryRecord>, skb: SkBuff<M>, verdict: i32) {
    let record = &mut claim.slot.record;
    if record.flags & EntryFlags::REJECTED == 0 {
        entry::returned(record, verdict);
        // After a resolved clash, the packet has the entry that was inserted first.
        let ct = NfConn::<Untyped>::new(skb.nfct().ct());
        if ct.address() == record.ct {
            entry::after(record, ct);
        } else {
            record.flags |= EntryFlags::OTHER_ENTRY;
        }
    }
    entry::finish(claim);
}
