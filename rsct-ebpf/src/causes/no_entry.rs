//! Conntrack drops a packet at its first look at it: there is no entry to be had for it.
//!
//! net/netfilter/nf_conntrack_core.c:
//! `unsigned int nf_conntrack_in(struct sk_buff *skb, const struct nf_hook_state *state)`

use aya_ebpf::{
    macros::{fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{
    loss::Loss,
    record::{CauseFamily, CauseFlags, CauseKey, STACK_FRAMES, what},
};

use crate::{
    filter,
    globals::arg,
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        hook_state::{HookState, LOCAL_OUT},
        nf_conn::NfConn,
        packet,
        sk_buff::SkBuff,
    },
    scratch::Slots,
    tell,
};

/// A kretprobe has no arguments: the packet is a slot's owner, its hook's state the number.
#[map]
static ENTERING: PerCpuArray<Slots<u64>> = PerCpuArray::with_max_entries(1, 0);

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
    if let Some(slots) = ENTERING.get_ptr_mut(0)
        // SAFETY: this CPU's slots; see `scratch` for who else may look at them meanwhile.
        && let Some(claim) = unsafe { &mut *slots }.claim(skb, ctx.frame(), Loss::PassForgotten)
    {
        claim.slot.number = ctx.pointer(&arg::IN_STATE) as u64;
    }
    0
}

#[kretprobe]
pub fn drop_in_kretprobe(ctx: RetProbeContext) -> u32 {
    let Some(slots) = ENTERING.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: as above.
    let Some(claim) = unsafe { &mut *slots }.claimed_at(ctx.frame()) else {
        return 0;
    };
    let claim = claim.at_work();
    let skb = SkBuff::<Untyped>::new(claim.slot.owner as *const u8);
    let state = HookState::<Untyped>::new(claim.slot.number as *const u8);
    judge(skb, state, ctx.ret::<u32>(), ctx.frame());
    claim.free();
    0
}

#[inline(always)]
fn judge<M: Memory>(skb: SkBuff<M>, state: HookState<M>, verdict: u32, frame: u64) {
    const NF_DROP: u32 = 0;
    if verdict != NF_DROP {
        return;
    }
    let netns = state.netns();
    let pf = state.family();
    let flow = packet::tuple_of(skb, pf);
    if !filter::wants_netns(netns) || !filter::wants::<Untyped>(&flow, None::<NfConn<Untyped>>) {
        return;
    }
    let hook = state.hook();
    let key = CauseKey {
        family: CauseFamily::Drop as u8,
        what: what::DROP_NO_ENTRY,
        more: 0,
        netns,
        detail: 0,
        stack: [0; STACK_FRAMES],
    };
    tell::tell(&key, None, |record| {
        if hook == LOCAL_OUT {
            tell::note_task(record, frame);
        }
        record.hook = hook;
        record.pf = pf;
        record.ifindex = state.ifindex(hook);
        record.skb = skb.address();
        record.tuple = flow;
        if let Some(segment) = packet::segment(SkBuff::<Untyped>::new(skb.pointer())) {
            record.flags |= CauseFlags::TCP;
            record.tcp_flags = segment.tcp.flags;
        }
    });
}
