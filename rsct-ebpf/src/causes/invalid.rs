//! A packet leaves conntrack without an entry: it is INVALID.
//!
//! net/netfilter/nf_conntrack_core.c:
//! `unsigned int nf_conntrack_in(struct sk_buff *skb, const struct nf_hook_state *state)`

use core::mem::MaybeUninit;

use aya_ebpf::{
    Global,
    macros::{fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{
    TupleWords,
    record::{CauseFamily, CauseFlags, CauseKey, CauseRecord, what},
};

use crate::{
    filter,
    globals::arg,
    kept::{self, Kept},
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        hook_state::{HookState, LOCAL_OUT},
        nf_conn::NfConn,
        packet,
        sk_buff::SkBuff,
        tuple,
    },
    reason::{self, Reason},
    report, words,
};

/// Set to emit a reason as soon as it is logged, for a reader that sees the packet's verdict itself.
#[unsafe(no_mangle)]
static EMIT_WHEN_LOGGED: Global<u32> = Global::new(0);

#[inline(always)]
pub fn emits_when_logged() -> bool {
    EMIT_WHEN_LOGGED.load() != 0
}

/// Arguments, by packet: the state of its hook.
#[map]
static CLASSIFYING: PerCpuArray<Kept> = PerCpuArray::with_max_entries(1, 0);

#[fexit(function = "nf_conntrack_in")]
pub fn why_in_fexit(ctx: FExitContext) -> u32 {
    let skb = SkBuff::<Typed>::new(ctx.pointer(&arg::IN_SKB));
    let state = HookState::<Typed>::new(ctx.pointer(&arg::IN_STATE));
    judge(skb, state, ctx.number(&arg::IN_RETURN) as u32, ctx.frame());
    0
}

#[kprobe]
pub fn why_in_kprobe(ctx: ProbeContext) -> u32 {
    let skb = ctx.pointer(&arg::IN_SKB) as u64;
    kept::keep(&CLASSIFYING, ctx.frame(), skb, ctx.pointer(&arg::IN_STATE) as u64);
    0
}

#[kretprobe]
pub fn why_in_kretprobe(ctx: RetProbeContext) -> u32 {
    kept::kept(&CLASSIFYING, ctx.frame(), |skb, state| {
        let skb = SkBuff::<Untyped>::new(skb as *const u8);
        let state = HookState::<Untyped>::new(state as *const u8);
        judge(skb, state, ctx.ret::<u32>(), ctx.frame());
    });
    0
}

/// A packet is INVALID if it continues without an entry. `no_entry` handles packets that are dropped without one.
#[inline(always)]
fn judge<M: Memory>(skb: SkBuff<M>, state: HookState<M>, verdict: u32, frame: u64) {
    const NF_ACCEPT: u32 = 1;
    let pending = reason::are_pending();
    if verdict == NF_ACCEPT && skb.nfct().0 == 0 {
        let reason = if pending { reason::of(skb.address()) } else { None };
        let netns = state.netns();
        if filter::wants_netns(netns) {
            without_entry(skb, state, netns, reason, frame);
        }
    }
    if pending {
        reason::forget(skb.address());
    }
}

#[inline(always)]
fn without_entry<M: Memory>(
    skb: SkBuff<M>,
    state: HookState<M>,
    netns: u32,
    reason: Option<&Reason>,
    frame: u64,
) {
    let flow = packet::tuple_of(skb, state.family());
    if !filter::wants::<Untyped>(&flow, None) {
        return;
    }
    let hook = state.hook();
    let mut room = MaybeUninit::uninit();
    let key = key(&mut room, netns, &flow, reason);
    if let Some(mut record) = report::reserve(key, reason.map(|reason| &reason.text)) {
        if hook == LOCAL_OUT {
            report::note_task(&mut record, frame);
        }
        record.flags |= CauseFlags::HOOK;
        record.hook = hook;
        record.ifindex = state.ifindex(hook);
        add_headers(&mut record, skb, &flow, reason);
        record.send();
    }
}

/// Without a logged reason, the type of packet distinguishes causes.
#[inline(always)]
fn key<'a>(
    room: &'a mut MaybeUninit<CauseKey>,
    netns: u32,
    flow: &TupleWords,
    reason: Option<&Reason>,
) -> &'a CauseKey {
    let (code, detail) = match reason {
        Some(reason) => (what::INVALID_LOGGED, reason.text_address),
        // An ICMP message's type and code.
        None if tuple::is_icmp(flow) => (what::INVALID_NO_REASON, flow[4] >> 32 & 0xffff),
        None => (what::INVALID_NO_REASON, 0),
    };
    report::key(
        room,
        CauseFamily::Invalid,
        code,
        tuple::protonum(flow) as u16,
        netns,
        detail,
    )
}

#[inline(always)]
fn add_headers<M: Memory>(
    record: &mut CauseRecord,
    skb: SkBuff<M>,
    flow: &TupleWords,
    reason: Option<&Reason>,
) {
    record.tuple = *flow;
    if let Some(segment) = packet::segment(SkBuff::<Untyped>::new(skb.pointer())) {
        record.flags |= CauseFlags::TCP;
        record.tcp_flags = segment.tcp.flags;
    }
    if let Some(reason) = reason {
        // SAFETY: words, both in the record and in the reason.
        unsafe { words::copy(&raw mut record.numbers, &raw const reason.numbers) };
        if reason.window != 0 {
            record.flags |= CauseFlags::WINDOW;
        }
    }
}

/// Emits a reason without the packet's verdict.
#[inline(always)]
pub fn emit_logged(skb: SkBuff<Untyped>, ct: Option<NfConn<Untyped>>, reason: &Reason) {
    // The namespace is read from the entry; a reason logged without an entry has none.
    let netns = ct.map_or(0, NfConn::netns);
    if ct.is_some() && !filter::wants_netns(netns) {
        return;
    }
    let flow = packet::tuple_of(skb, packet::family_of(skb));
    if !filter::wants(&flow, ct) {
        return;
    }
    let mut room = MaybeUninit::uninit();
    let key = key(&mut room, netns, &flow, Some(reason));
    if let Some(mut record) = report::reserve(key, Some(&reason.text)) {
        if let Some(ct) = ct {
            report::describe(&mut record, ct);
        }
        add_headers(&mut record, skb, &flow, Some(reason));
        record.send();
    }
}
