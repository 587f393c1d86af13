//! A packet's traversal of conntrack.
//!
//! net/netfilter/nf_conntrack_core.c:
//! `unsigned int nf_conntrack_in(struct sk_buff *skb, const struct nf_hook_state *state)`

use aya_ebpf::{
    helpers::{bpf_jiffies64, bpf_ktime_get_ns},
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use aya_log_ebpf::debug;
use rsct_common::{
    loss::Loss,
    record::{PacketFlags, PacketRecord, kind},
};

use crate::{
    emit::{cpu, emit},
    filter,
    globals::arg,
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        hook_state::{HookState, LOCAL_OUT},
        nf_conn::{IPPROTO_TCP, IPS_CONFIRMED, NfConn},
        packet,
        sk_buff::{Nfct, SkBuff},
        tcp::Tcp,
        tuple,
    },
    policy,
    scratch::{self, Claim, Identified, Slot},
    task,
};

/// `IP_CT_UNTRACKED`.
const UNTRACKED: u8 = 7;

#[fentry(function = "nf_conntrack_in")]
pub fn in_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn in_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(slot) = enter(&ctx) {
        // A kretprobe has no arguments: the slot keeps them.
        slot.number = ctx.pointer(&arg::IN_STATE) as u64;
    }
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) -> Option<&'static mut Slot<PacketRecord>> {
    let skb = SkBuff::<C::Pointer>::new(ctx.pointer(&arg::IN_SKB));
    let slot = scratch::traversals()?
        .claim(skb.address(), ctx.frame(), Loss::PassForgotten)?
        .slot;
    if filter::narrows_netns() {
        let state = HookState::<C::Pointer>::new(ctx.pointer(&arg::IN_STATE));
        if !filter::wants_netns(state.netns()) {
            slot.record.flags = PacketFlags::REJECTED;
            return None;
        }
    }
    slot.nfct = skb.nfct().0;
    if slot.rejects_again(Nfct(slot.nfct).ct() as u64) {
        slot.record.flags = PacketFlags::REJECTED;
        return None;
    }
    slot.record.flags = PacketFlags::DURATION;
    slot.record.refresh_jiffies = 0;
    // Last, so that the cost does not include rsct's own.
    // SAFETY: no arguments.
    slot.claimed_ns = unsafe { bpf_ktime_get_ns() };
    Some(slot)
}

#[fexit(function = "nf_conntrack_in")]
pub fn in_fexit(ctx: FExitContext) -> u32 {
    let skb = SkBuff::<Typed>::new(ctx.pointer(&arg::IN_SKB));
    let state = HookState::<Typed>::new(ctx.pointer(&arg::IN_STATE));
    let Some(slots) = scratch::traversals() else {
        return 0;
    };
    let claim = match slots.claimed_by(skb.address(), ctx.frame()) {
        Some(claim) => claim,
        // A packet of another namespace.
        None if filter::narrows_netns() && !filter::wants_netns(state.netns()) => return 0,
        None => {
            // Attached during the traversal, skipped, or forgotten: the record has only what the exit knows.
            debug!(&ctx, "a packet leaves that was not seen entering");
            let Some(claim) = slots.claim(skb.address(), ctx.frame(), Loss::PassForgotten) else {
                return 0;
            };
            claim.slot.record.flags = 0;
            claim.slot.record.refresh_jiffies = 0;
            claim.slot.nfct = 0;
            claim
        }
    };
    leave(claim, skb, state, ctx.number(&arg::IN_RETURN) as u8);
    0
}

#[kretprobe]
pub fn in_kretprobe(ctx: RetProbeContext) -> u32 {
    let Some(claim) = scratch::traversals().and_then(|slots| slots.claimed_at(ctx.frame())) else {
        return 0;
    };
    let skb = SkBuff::<Untyped>::new(claim.slot.owner as *const u8);
    let state = HookState::<Untyped>::new(claim.slot.number as *const u8);
    leave(claim, skb, state, ctx.ret::<u32>() as u8);
    0
}

/// The slot stays claimed until its record is in the ring: a softirq's traversal begins with another program, which
/// can run within this one.
#[inline(always)]
fn leave<M: Memory>(claim: Claim<'_, PacketRecord>, skb: SkBuff<M>, state: HookState<M>, verdict: u8) {
    if claim.slot.record.flags & PacketFlags::REJECTED != 0 {
        // The slot is not read any more: no need to block claims first.
        claim.free();
        return;
    }
    let claim = claim.begin_exit();
    finish(claim.slot, skb, state, verdict);
    claim.free();
}

#[inline(always)]
fn finish<M: Memory>(slot: &mut Slot<PacketRecord>, skb: SkBuff<M>, state: HookState<M>, verdict: u8) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let nfct = skb.nfct();
    let entry = NfConn::<Untyped>::new(nfct.ct());
    if slot.record.flags & PacketFlags::DURATION == 0 {
        slot.claimed_ns = now;
    }
    let mut look = !nfct.ct().is_null();
    if slot.record.flags & PacketFlags::BEFORE == 0 {
        match identify(slot, skb, entry, state) {
            Identified::Rejected => return,
            // The entry is unchanged, and its state was emitted with the previous packet.
            Identified::Known => look = slot.nfct != nfct.0,
            Identified::New => {}
        }
    }
    came_with(&mut slot.record, Nfct(slot.nfct), nfct);
    let record = &mut slot.record;
    if look {
        record.flags |= PacketFlags::AFTER;
        record.status_after = entry.status();
        record.timeout_after_jiffies = entry.timeout();
        let protonum = tuple::protonum(&record.tuple);
        if protonum == IPPROTO_TCP {
            tcp_after(record, entry);
        } else {
            record.state_after = entry.proto_state(protonum);
        }
        if (record.flags & PacketFlags::FIRST_SIGHT != 0 || record.status_after & IPS_CONFIRMED == 0)
            && policy::send(entry, record.birth_ns, record.netns)
        {
            record.flags |= PacketFlags::POLICY;
        }
    }
    record.kind = kind::PACKET;
    record.hook = state.hook();
    record.family = state.family();
    record.verdict = verdict;
    record.ctinfo = nfct.ctinfo();
    record.cpu = cpu();
    record.time_ns = slot.claimed_ns;
    record.duration_ns = (now - slot.claimed_ns) as u32;
    record.len_bytes = skb.len_bytes();
    record.ifindex = state.ifindex(record.hook);
    // SAFETY: no arguments.
    record.now_jiffies = unsafe { bpf_jiffies64() } as u32;
    if record.hook == LOCAL_OUT {
        // Memory turns the pointer into a number.
        slot.number = state.address();
        // SAFETY: a field of the slot; volatile, so that the number is really read back.
        let stack_address = unsafe { core::ptr::read_volatile(&raw const slot.number) };
        if let Some(task) = task::on_whose_stack(stack_address) {
            record.flags |= PacketFlags::TASK;
            record.pid = task.tgid;
            record.comm = task.comm_bytes();
        }
    }
    emit(record, Loss::PacketRecord);
}

/// Records the TCP state, and the conditions that shorten its timeout (nf_conntrack_proto_tcp.c,
/// nf_conntrack_tcp_packet()).
#[inline(always)]
fn tcp_after(record: &mut PacketRecord, entry: NfConn<Untyped>) {
    let Some(tcp) = Tcp::of(entry) else {
        record.state_after = entry.proto_state(IPPROTO_TCP);
        return;
    };
    record.state_after = tcp.state();
    if tcp.has_unacknowledged_data() {
        record.flags |= PacketFlags::UNACKNOWLEDGED;
    }
    if tcp.was_retransmitted(entry) {
        record.flags |= PacketFlags::RETRANSMITTED;
    }
    if tcp.has_zero_window() {
        record.flags |= PacketFlags::ZERO_WINDOW;
    }
}

/// Records the entry that the packet carries on entry.
///
/// nf_conntrack_in skips a packet that already has an entry or is untracked; it removes a template (of the CT target)
/// and continues.
#[inline(always)]
fn came_with(record: &mut PacketRecord, came: Nfct, leaves: Nfct) {
    // Conntrack itself skips neighbour discovery and similar packets (net/netfilter/nf_conntrack_proto_icmpv6.c,
    // `noct_valid_new`).
    if leaves.ctinfo() == UNTRACKED {
        record.flags |= PacketFlags::UNTRACKED;
        return;
    }
    if came.0 == 0 {
        return;
    }
    record.flags |= if came.ctinfo() == UNTRACKED {
        PacketFlags::UNTRACKED
    } else if came.0 == leaves.0 && record.flags & PacketFlags::BEFORE == 0 {
        PacketFlags::SEEN_ALREADY
    } else {
        PacketFlags::TEMPLATE
    };
}

/// Identifies the packet if no protocol handler did: it already had an entry, is an ICMP error, is invalid, or its
/// protocol has no handler.
#[inline(always)]
fn identify<M: Memory>(
    slot: &mut Slot<PacketRecord>,
    skb: SkBuff<M>,
    entry: NfConn<Untyped>,
    state: HookState<M>,
) -> Identified {
    if entry.address() == 0 {
        let record = &mut slot.record;
        record.ct = 0;
        record.tuple = packet::tuple_of(skb, state.family());
        record.birth_ns = 0;
        record.zone = 0;
        record.mark = 0;
        record.netns = state.netns();
        return match filter::wants::<Untyped>(&record.tuple, None) {
            true => Identified::New,
            false => Identified::Rejected,
        };
    }
    let identified = slot.identify(entry);
    if matches!(identified, Identified::Rejected) {
        return identified;
    }
    slot.find_birth();
    if matches!(identified, Identified::New) {
        slot.record.mark = entry.mark();
        slot.record.flags |= PacketFlags::MARK;
    }
    identified
}
