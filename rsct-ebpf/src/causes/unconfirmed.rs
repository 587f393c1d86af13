//! A packet passes all hooks, but its entry is not inserted, for another reason than a clash.
//!
//! net/netfilter/nf_conntrack_core.c: `int __nf_conntrack_confirm(struct sk_buff *skb)`

use core::mem::MaybeUninit;

use aya_ebpf::{
    macros::{fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::record::{CauseFamily, what};

use crate::{
    clash::DROPPED,
    filter,
    globals::arg,
    kept::{self, Kept},
    kernel::{
        Memory, NF_DROP, Typed, Untyped,
        args::{Arguments, Frame},
        nf_conn::{IPS_CONFIRMED, IPS_DYING, NfConn},
        sk_buff::SkBuff,
        tuple,
    },
    nested, report,
};

/// Arguments, by packet.
#[map]
static CONFIRMING: PerCpuArray<Kept> = PerCpuArray::with_max_entries(1, 0);

#[fexit(function = "__nf_conntrack_confirm")]
pub fn why_confirm_fexit(ctx: FExitContext) -> u32 {
    let skb = SkBuff::<Typed>::new(ctx.pointer(&arg::CONFIRM_SKB));
    judge(skb, ctx.number(&arg::CONFIRM_RETURN) as u32, ctx.frame());
    0
}

#[kprobe]
pub fn why_confirm_kprobe(ctx: ProbeContext) -> u32 {
    let skb = ctx.pointer(&arg::CONFIRM_SKB) as u64;
    kept::keep(&CONFIRMING, ctx.frame(), skb, 0);
    0
}

#[kretprobe]
pub fn why_confirm_kretprobe(ctx: RetProbeContext) -> u32 {
    kept::kept(&CONFIRMING, ctx.frame(), |skb, _| {
        let skb = SkBuff::<Untyped>::new(skb as *const u8);
        judge(skb, ctx.ret::<u32>(), ctx.frame());
    });
    0
}

/// The kernel drops the packet, which still has the entry.
#[inline(always)]
fn judge<M: Memory>(skb: SkBuff<M>, verdict: u32, frame: u64) {
    if verdict != NF_DROP {
        return;
    }
    // `clash` has already reported a clash.
    if nested::take_called(&DROPPED, frame, |_| ()).is_some() {
        return;
    }
    let ct = NfConn::<Untyped>::new(skb.nfct().ct());
    let netns = ct.netns();
    let orig = ct.tuple(0);
    if ct.address() == 0 || !filter::wants_netns(netns) || !filter::wants(&orig, Some(ct)) {
        return;
    }
    let status = ct.status();
    let code = if status & IPS_CONFIRMED != 0 {
        what::INSERT_ALREADY_INSERTED
    } else if status & IPS_DYING != 0 {
        what::INSERT_DYING
    } else {
        // The remaining case. Kernels that number their extensions (`nf_ct_ext.gen_id`) also refuse an entry whose
        // module is being unloaded: it appears as this cause, and as a counter that does not agree.
        what::INSERT_CHAIN
    };
    let mut room = MaybeUninit::uninit();
    let key = report::key(
        &mut room,
        CauseFamily::Insert,
        code,
        tuple::protonum(&orig) as u16,
        netns,
        0,
    );
    if let Some(mut record) = report::reserve(key, None) {
        report::note_task(&mut record, frame);
        report::describe(&mut record, ct);
        // Before an entry is inserted, its timeout is relative.
        record.left_jiffies = ct.timeout() as i32;
        record.send();
    }
}
