//! A protocol's tracker logs why a packet is invalid. The verdict follows later: some of these packets continue with
//! their entry.
//!
//! net/netfilter/nf_conntrack_proto.c:
//! `void nf_ct_l4proto_log_invalid(const struct sk_buff *skb, const struct nf_conn *ct,
//! const struct nf_hook_state *state, const char *fmt, ...)`
//! `void nf_l4proto_log_invalid(const struct sk_buff *skb, const struct nf_hook_state *state, u8 protonum,
//! const char *fmt, ...)`
//!
//! The kernel calls them independently of net.netfilter.nf_conntrack_log_invalid, which they check themselves.

use aya_ebpf::{
    Global,
    bindings::BPF_NOEXIST,
    helpers::bpf_probe_read_kernel_str_bytes,
    macros::{kprobe, map},
    maps::{HashMap, PerCpuArray},
    programs::ProbeContext,
};
use rsct_common::{
    field::ABSENT,
    loss::Loss,
    record::{NUMBERS, TEXT_BYTES, window},
};

use crate::{
    emit::{atomic_add, atomic_add_many, count},
    globals::{
        TCP_ORIG_TD_END, TCP_ORIG_TD_MAXEND, TCP_ORIG_TD_MAXWIN, TCP_REPLY_TD_END, VA_FORMAT_FMT, arg,
    },
    invalid,
    kernel::{
        Memory, Untyped,
        args::Arguments,
        at,
        nf_conn::{IPPROTO_TCP, NfConn},
        packet,
        sk_buff::SkBuff,
        tuple,
    },
};

/// The tracker's reason for a packet.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Reason {
    /// The address of the text: one for each reason.
    pub text_address: u64,
    /// See `rsct_common::record::window`.
    pub numbers: [u64; NUMBERS],
    /// Nonzero if the numbers are known.
    pub window: u64,
    pub text: [u8; TEXT_BYTES],
}

/// The reasons for packets without a verdict yet, by the packet's address.
#[map]
static REASONS: HashMap<u64, Reason> = HashMap::with_max_entries(1024, 0);

/// A buffer for the reason, which is too large for a program's stack. The kernel runs one kprobe at a time on a CPU,
/// and counts skipped ones (`bpf_prog_active`, kernel/trace/bpf_trace.c).
#[map]
static BUFFER: PerCpuArray<Reason> = PerCpuArray::with_max_entries(1, 0);

/// The number of packets without a verdict: while it is zero, no packet looks for a reason.
static mut PENDING: u64 = 0;

#[kprobe]
pub fn ct_log_invalid_kprobe(ctx: ProbeContext) -> u32 {
    let skb = SkBuff::<Untyped>::new(ctx.pointer(&arg::CT_LOG_SKB));
    let ct = NfConn::<Untyped>::new(ctx.pointer(&arg::CT_LOG_CT));
    logged(&ctx, &arg::CT_LOG_FMT, skb, Some(ct));
    0
}

#[kprobe]
pub fn log_invalid_kprobe(ctx: ProbeContext) -> u32 {
    let skb = SkBuff::<Untyped>::new(ctx.pointer(&arg::LOG_SKB));
    logged(&ctx, &arg::LOG_FMT, skb, None);
    0
}

#[inline(always)]
fn logged(ctx: &ProbeContext, fmt: &Global<u64>, skb: SkBuff<Untyped>, ct: Option<NfConn<Untyped>>) {
    // SAFETY: data of this CPU, see there.
    let Some(reason) = BUFFER.get_ptr_mut(0).map(|reason| unsafe { &mut *reason }) else {
        return;
    };
    reason.text_address = words(ctx.number(fmt), ctx.following(fmt));
    reason.window = 0;
    reason.numbers = [0; NUMBERS];
    reason.text = [0; TEXT_BYTES];
    // SAFETY: the helper accepts any address. Unreadable text stays empty.
    let _ = unsafe { bpf_probe_read_kernel_str_bytes(reason.text_address as *const u8, &mut reason.text) };
    if let Some(ct) = ct
        && tuple::protonum(&ct.tuple(0)) == IPPROTO_TCP
    {
        note_window(reason, skb, ct);
    }
    if invalid::emits_when_logged() {
        invalid::emit_logged(skb, ct, reason);
        return;
    }
    let address = skb.address();
    // The first reason counts: with logging enabled, the same text follows again as a log line.
    if REASONS.get_ptr(&address).is_some() {
        return;
    }
    if REASONS.insert(&address, reason, BPF_NOEXIST as u64).is_ok() {
        atomic_add(&raw mut PENDING);
    } else {
        count(Loss::ReasonForgotten);
    }
}

/// Returns the address of the text: for `"%s"` the argument, for `"%pV"` the inner format.
#[inline(always)]
fn words(fmt: u64, first: u64) -> u64 {
    let begin: [u8; 4] = Untyped::read(fmt as *const u8);
    match begin {
        [b'%', b's', 0, _] => first,
        [b'%', b'p', b'V', 0] if VA_FORMAT_FMT.load() != ABSENT => {
            Untyped::read(at(first as *const u8, VA_FORMAT_FMT.load()))
        }
        _ => fmt,
    }
}

/// `sizeof(struct ip_ct_tcp_state)`, computed from the offsets of its fields.
#[inline(always)]
fn state_bytes() -> u64 {
    TCP_REPLY_TD_END.load().wrapping_sub(TCP_ORIG_TD_END.load())
}

/// Records the numbers that the kernel compares the segment with.
#[inline(always)]
fn note_window(reason: &mut Reason, skb: SkBuff<Untyped>, ct: NfConn<Untyped>) {
    if TCP_ORIG_TD_END.load() == ABSENT || TCP_REPLY_TD_END.load() == ABSENT {
        return;
    }
    let Some(segment) = packet::segment(skb) else {
        return;
    };
    let reply = skb.nfct().is_reply() as u64;
    let of = |offset: &Global<u64>, direction: u64| -> u64 {
        let place = offset.load() + direction * state_bytes();
        Untyped::read::<u32>(at(ct.pointer(), place)) as u64
    };
    reason.window = 1;
    reason.numbers[window::SEQ] = segment.tcp.seq as u64;
    reason.numbers[window::END] = segment.end as u64;
    reason.numbers[window::ACK] = segment.tcp.ack as u64;
    reason.numbers[window::SENDER_END] = of(&TCP_ORIG_TD_END, reply);
    reason.numbers[window::SENDER_MAXEND] = of(&TCP_ORIG_TD_MAXEND, reply);
    reason.numbers[window::SENDER_MAXWIN] = of(&TCP_ORIG_TD_MAXWIN, reply);
    reason.numbers[window::RECEIVER_END] = of(&TCP_ORIG_TD_END, 1 - reply);
    reason.numbers[window::RECEIVER_MAXWIN] = of(&TCP_ORIG_TD_MAXWIN, 1 - reply);
}

/// True if a reason waits for its packet's verdict.
#[inline(always)]
pub fn are_pending() -> bool {
    // SAFETY: an aligned word; volatile, so that it is really read.
    unsafe { core::ptr::read_volatile(&raw const PENDING) != 0 }
}

/// Returns the reason for the packet at `skb`.
#[inline(always)]
pub fn of(skb: u64) -> Option<&'static Reason> {
    // SAFETY: the packet is still in conntrack, so its reason stays until `forget`.
    REASONS.get_ptr(&skb).map(|reason| unsafe { &*reason })
}

/// Removes the reason after the packet's verdict.
#[inline(always)]
pub fn forget(skb: u64) {
    if REASONS.remove(&skb).is_ok() {
        atomic_add_many(&raw mut PENDING, u64::MAX);
    }
}
