//! An ICMP error: its type, its code and who sent it.
//!
//! net/netfilter/nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c, called for ICMP packets alone:
//! `int nf_conntrack_icmpv4_error(struct nf_conn *tmpl, struct sk_buff *skb, unsigned int dataoff,
//! const struct nf_hook_state *state)`

use aya_ebpf::{
    Global,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::record::PacketFlags;

use crate::{
    globals::arg,
    kernel::{args::Arguments, packet, sk_buff::SkBuff},
    scratch,
};

#[fentry(function = "nf_conntrack_icmpv4_error")]
pub fn icmp_error_fentry(ctx: FEntryContext) -> u32 {
    note(&ctx, &arg::ICMP_ERROR_SKB, &arg::ICMP_ERROR_DATAOFF);
    0
}

#[kprobe]
pub fn icmp_error_kprobe(ctx: ProbeContext) -> u32 {
    note(&ctx, &arg::ICMP_ERROR_SKB, &arg::ICMP_ERROR_DATAOFF);
    0
}

#[fentry(function = "nf_conntrack_icmpv6_error")]
pub fn icmpv6_error_fentry(ctx: FEntryContext) -> u32 {
    note(&ctx, &arg::ICMPV6_ERROR_SKB, &arg::ICMPV6_ERROR_DATAOFF);
    0
}

#[kprobe]
pub fn icmpv6_error_kprobe(ctx: ProbeContext) -> u32 {
    note(&ctx, &arg::ICMPV6_ERROR_SKB, &arg::ICMPV6_ERROR_DATAOFF);
    0
}

#[inline(always)]
fn note<C: Arguments>(ctx: &C, skb: &Global<u64>, dataoff: &Global<u64>) {
    let skb = SkBuff::<C::Pointer>::new(ctx.pointer(skb));
    let Some(slots) = scratch::traversals() else {
        return;
    };
    let Some(slot) = slots.traversal_of(skb.address()) else {
        return;
    };
    if slot.record.flags & PacketFlags::REJECTED == 0
        && let Some(error) = packet::icmp_error(skb, ctx.number(dataoff) as u32)
    {
        slot.record.set_icmp_error(error);
    }
}
