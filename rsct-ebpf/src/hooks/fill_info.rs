//! ctnetlink writes an entry into a message: facts about its timeout that the message does not contain.
//!
//! net/netfilter/nf_conntrack_netlink.c: `static int ctnetlink_fill_info(struct sk_buff *skb, u32 portid, u32 seq,
//! u32 type, struct nf_conn *ct, bool extinfo, unsigned int flags)`

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::{
    loss::Loss,
    record::{DumpFlags, DumpRecord, kind},
};

use crate::{
    emit::emit,
    globals::arg,
    kernel::{
        Untyped,
        args::Arguments,
        nf_conn::{IPPROTO_TCP, NfConn},
        tcp::Tcp,
        timeout_policy::TimeoutPolicy,
        tuple,
    },
    policy, words,
};

#[fentry(function = "ctnetlink_fill_info")]
pub fn fill_info_fentry(ctx: FEntryContext) -> u32 {
    written(&ctx);
    0
}

#[kprobe]
pub fn fill_info_kprobe(ctx: ProbeContext) -> u32 {
    written(&ctx);
    0
}

/// Emits nothing for an entry without such facts: in most tables that is nearly all.
#[inline(always)]
fn written<C: Arguments>(ctx: &C) {
    let ct = NfConn::<Untyped>::new(ctx.pointer(&arg::FILL_INFO_CT));
    let mut record = DumpRecord {
        kind: kind::DUMP,
        ..DumpRecord::default()
    };
    record.orig = ct.tuple(0);
    if tuple::protonum(&record.orig) == IPPROTO_TCP {
        record.flags = shortened(ct);
    }
    // Zero for none: the compiler may keep an absent policy in an uninitialized register, which 6.1's verifier does
    // not allow to be copied.
    let policy = words::opaque(TimeoutPolicy::of(ct).map_or(0, TimeoutPolicy::address));
    if record.flags == 0 && policy == 0 {
        return;
    }
    record.netns = ct.netns();
    record.zone = ct.zone();
    record.portid = ctx.number(&arg::FILL_INFO_PORTID) as u32;
    record.policy = policy;
    if policy != 0 {
        policy::governs(TimeoutPolicy::at(policy), ct.address(), 0, record.netns);
    }
    emit(&record, Loss::DumpRecord);
}

/// Returns the reasons why TCP shortens the timeout, if any.
#[inline(always)]
fn shortened(ct: NfConn<Untyped>) -> u8 {
    let Some(tcp) = Tcp::of(ct) else { return 0 };
    let mut flags = 0;
    if tcp.has_unacknowledged_data() {
        flags |= DumpFlags::UNACKNOWLEDGED;
    }
    if tcp.was_retransmitted(ct) {
        flags |= DumpFlags::RETRANSMITTED;
    }
    if tcp.has_zero_window() {
        flags |= DumpFlags::ZERO_WINDOW;
    }
    flags
}
