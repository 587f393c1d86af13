//! A policy is deleted: its flows return to the defaults.
//!
//! net/netfilter/nf_conntrack_timeout.c: `void nf_ct_untimeout(struct net *net, struct nf_ct_timeout *timeout)`;
//! without a timeout it applies to all policies of a namespace that is destroyed.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};

use crate::{
    filter,
    globals::{NET_INUM, arg},
    kernel::{args::Arguments, field},
    policy,
};

#[fentry(function = "nf_ct_untimeout")]
pub fn untimeout_fentry(ctx: FEntryContext) -> u32 {
    ended(&ctx);
    0
}

#[kprobe]
pub fn untimeout_kprobe(ctx: ProbeContext) -> u32 {
    ended(&ctx);
    0
}

#[inline(always)]
fn ended<C: Arguments>(ctx: &C) {
    let netns = field::<C::Pointer, _>(ctx.pointer(&arg::UNTIMEOUT_NET), &NET_INUM);
    if filter::wants_netns(netns) {
        policy::ended(ctx.pointer(&arg::UNTIMEOUT_POLICY) as u64, netns);
    }
}
