//! Conntrack drops a packet in `nf_conntrack_in` because it cannot allocate an entry.
//!
//! net/netfilter/nf_conntrack_core.c:
//! `unsigned int nf_conntrack_in(struct sk_buff *skb, const struct nf_hook_state *state)`

use core::mem::MaybeUninit;

use aya_ebpf::{
    macros::{fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::record::{CauseFamily, CauseFlags, what};

use crate::{
    filter,
    globals::arg,
    kept::{self, Kept},
    kernel::{
        Memory, NF_DROP, Typed, Untyped,
        args::{Arguments, Frame},
        hook_state::{HookState, LOCAL_OUT},
        nf_conn::NfConn,
        packet,
        sk_buff::SkBuff,
    },
    report,
};

/// Arguments, by packet: the state of its hook.
#[map]
static ENTERING: PerCpuArray<Kept> = PerCpuArray::with_max_entries(1, 0);

#[fexit(function = "nf_conntrack_in")]
pub fn drop_in_fexit(ctx: FExitContext) -> u32 {
    let skb = SkBuff::<Typed>::new(ctx.pointer(&arg::IN_SKB));
    let state = HookState::<Typed>::new(ctx.pointer(&arg::IN_STATE));
    judge(skb, state, ctx.number(&arg::IN_RETURN) as u32, ctx.frame());
    0
}

#[kprobe]
pub fn drop_in_kprobe(ctx: ProbeContext) -> u32 {
    let skb = ctx.pointer(&arg::IN_SKB) as u64;
    kept::keep(&ENTERING, ctx.frame(), skb, ctx.pointer(&arg::IN_STATE) as u64);
    0
}

#[kretprobe]
pub fn drop_in_kretprobe(ctx: RetProbeContext) -> u32 {
    kept::kept(&ENTERING, ctx.frame(), |skb, state| {
        let skb = SkBuff::<Untyped>::new(skb as *const u8);
        let state = HookState::<Untyped>::new(state as *const u8);
        judge(skb, state, ctx.ret::<u32>(), ctx.frame());
    });
    0
}

#[inline(always)]
fn judge<M: Memory>(skb: SkBuff<M>, state: HookState<M>, verdict: u32, frame: u64) {
    if verdict != NF_DROP {
        return;
    }
    let netns = state.netns();
    let flow = packet::tuple_of(skb, state.family());
    if !filter::wants_netns(netns) || !filter::wants::<Untyped>(&flow, None::<NfConn<Untyped>>) {
        return;
    }
    let hook = state.hook();
    let mut room = MaybeUninit::uninit();
    let key = report::key(&mut room, CauseFamily::Drop, what::DROP_NO_ENTRY, 0, netns, 0);
    if let Some(mut record) = report::reserve(key, None) {
        if hook == LOCAL_OUT {
            report::note_task(&mut record, frame);
        }
        record.flags |= CauseFlags::HOOK;
        record.hook = hook;
        record.ifindex = state.ifindex(hook);
        record.tuple = flow;
        if let Some(segment) = packet::segment(SkBuff::<Untyped>::new(skb.pointer())) {
            record.flags |= CauseFlags::TCP;
            record.tcp_flags = segment.tcp.flags;
        }
        record.send();
    }
}
