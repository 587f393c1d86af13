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
use rsct_ebpf::with_arguments;

use crate::{
    emit::{self, cpu},
    filter,
    globals::arg,
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        cast,
        hook_state::{HookState, LOCAL_OUT, Place},
        nf_conn::{IPPROTO_TCP, IPS_CONFIRMED, NfConn},
        packet,
        sk_buff::{Nfct, SkBuff},
        tcp::Tcp,
        tuple,
    },
    policy,
    scratch::{self, Claim, Identified, Slot},
    task, words,
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
    let state = ctx.number(&arg::IN_STATE);
    if let Some(slot) = with_arguments!(ctx, enter(ctx)) {
        // A kretprobe has no arguments: the slot keeps them.
        slot.number = state;
    }
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) -> Option<&'static mut Slot<PacketRecord>> {
    let skb = ctx.packet(&arg::IN_SKB);
    let slot = scratch::traversals()?
        .claim(skb.address(), ctx.frame(), Loss::PassForgotten)?
        .slot;
    slot.nfct = skb.nfct().0;
    // First, because it costs less than reading the namespace.
    let is_rejected = slot.rejects_again(Nfct(slot.nfct).ct() as u64)
        || filter::narrows_netns() && {
            let state = ctx.hook_state(&arg::IN_STATE);
            !filter::wants_netns(state.netns())
        };
    if is_rejected {
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
    // Rejected packets do not need it.
    let state = || HookState::<Typed>::new(ctx.pointer(&arg::IN_STATE));
    let Some(slots) = scratch::traversals() else {
        return 0;
    };
    let claim = match slots.claimed_by(skb.address(), ctx.frame()) {
        Some(claim) => claim,
        // A packet of another namespace.
        None if filter::narrows_netns() && !filter::wants_netns(state().netns()) => return 0,
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
    leave(claim, skb, state, || ctx.number(&arg::IN_RETURN) as u8);
    0
}

#[kretprobe]
pub fn in_kretprobe(ctx: RetProbeContext) -> u32 {
    let Some(claim) = scratch::traversals().and_then(|slots| slots.claimed_at(ctx.frame())) else {
        return 0;
    };
    let verdict = || ctx.ret::<u32>() as u8;
    let (skb, state) = (claim.slot.owner, claim.slot.number);
    if cast::has_arguments() {
        leave(claim, cast::packet(skb), || cast::hook_state(state), verdict);
    } else {
        let state = HookState::<Untyped>::new(state as *const u8);
        leave(claim, SkBuff::<Untyped>::new(skb as *const u8), || state, verdict);
    }
    0
}

/// The slot stays claimed until its record is in the ring: a softirq's traversal begins with another program, which
/// can run within this one.
#[inline(always)]
fn leave<M: Memory>(
    claim: Claim<'_, PacketRecord>,
    skb: SkBuff<M>,
    state: impl FnOnce() -> HookState<M>,
    verdict: impl FnOnce() -> u8,
) {
    if claim.slot.record.flags & PacketFlags::REJECTED != 0 {
        // The slot is not read any more: no need to block claims first.
        claim.free();
        return;
    }
    let claim = claim.begin_exit();
    finish(claim.slot, skb, state(), verdict());
    claim.free();
}

#[inline(always)]
fn finish<M: Memory>(slot: &mut Slot<PacketRecord>, skb: SkBuff<M>, state: HookState<M>, verdict: u8) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let (nfct, length) = skb.nfct_and_length();
    let entry = NfConn::<Untyped>::new(nfct.ct());
    if slot.record.flags & PacketFlags::DURATION == 0 {
        slot.claimed_ns = now;
    }
    // A word, for the reason in `Slot::identify`.
    let mut look = nfct.ct() as u64;
    if slot.record.flags & PacketFlags::BEFORE == 0 {
        match identify(slot, skb, entry, state) {
            Identified::Rejected => return,
            // The entry is unchanged, and its state was emitted with the previous packet.
            Identified::Known => look = slot.nfct ^ nfct.0,
            Identified::New => {}
        }
    }
    came_with(&mut slot.record, Nfct(slot.nfct), nfct);
    if look != 0 {
        match cast::typed::<M>(entry) {
            Some(entry) => after(&mut slot.record, entry),
            None => after(&mut slot.record, entry),
        }
        let record = &mut slot.record;
        if (record.flags & PacketFlags::FIRST_SIGHT != 0 || record.status_after & IPS_CONFIRMED == 0)
            && policy::send(entry, record.birth_ns, record.netns)
        {
            record.flags |= PacketFlags::POLICY;
        }
    }
    let left = Left {
        skb,
        state,
        verdict,
        nfct,
        length,
        now,
    };
    if let Some(mut room) = emit::reserve::<PacketRecord>(Loss::PacketRecord) {
        left.fill(room.as_mut_ptr(), slot);
        emit::submit(room);
    }
}

/// A packet that leaves conntrack.
struct Left<M> {
    skb: SkBuff<M>,
    state: HookState<M>,
    verdict: u8,
    nfct: Nfct,
    length: Option<u32>,
    now: u64,
}

/// Writes a field of the record in the ring. Volatile: the compiler would combine zeros to a call of `memset`.
macro_rules! put {
    ($record:ident.$field:ident, $value:expr) => {
        // SAFETY: a field of the record, which lies in the ring.
        unsafe { (&raw mut (*$record).$field).write_volatile($value) }
    };
}

/// Copies the word whose first and last field these are.
macro_rules! copy_word {
    ($record:ident, $from:expr, $first:ident, $last:ident) => {
        const {
            let (first, last) = (
                core::mem::offset_of!(PacketRecord, $first),
                core::mem::offset_of!(PacketRecord, $last),
            );
            assert!(first % 8 == 0 && last / 8 == first / 8);
        }
        // SAFETY: an aligned word of either record.
        unsafe {
            let word: *const u64 = (&raw const $from.$first).cast();
            (&raw mut (*$record).$first)
                .cast::<u64>()
                .write_volatile(word.read());
        }
    };
}

impl<M: Memory> Left<M> {
    /// Fills in every byte of the record: with what the exit knows, and with the slot's.
    #[inline(always)]
    fn fill(&self, record: *mut PacketRecord, slot: &mut Slot<PacketRecord>) {
        let place = Place::of(self.state);
        let hook = place.hook();
        put!(record.kind, kind::PACKET);
        put!(record.hook, hook);
        put!(record.verdict, self.verdict);
        put!(record.ctinfo, self.nfct.ctinfo());
        put!(record.cpu, cpu() as u16);
        put!(record.time_ns, slot.claimed_ns);
        put!(record.ct, slot.record.ct);
        put!(record.birth_ns, slot.record.birth_ns);
        put!(record.duration_ns, (self.now - slot.claimed_ns) as u32);
        put!(
            record.len_bytes,
            self.length.unwrap_or_else(|| self.skb.len_bytes())
        );
        put!(record.netns, slot.record.netns);
        copy_word!(record, slot.record, status_before, status_after);
        copy_word!(record, slot.record, timeout_before_jiffies, timeout_after_jiffies);
        put!(record.now_jiffies, bpf_jiffies64() as u32);
        put!(record.mark, slot.record.mark);
        put!(record.refresh_jiffies, slot.record.refresh_jiffies);
        copy_word!(record, slot.record, tcp_seq, tcp_ack);
        copy_word!(record, slot.record, tcp_window, zone);
        put!(record.family, place.family());
        // SAFETY: both are tuples, of these words.
        unsafe { words::copy(&raw mut (*record).tuple, &slot.record.tuple) };
        let mut flags = slot.record.flags;
        let task = if hook == LOCAL_OUT {
            put!(record.ifindex, place.ifindex_out());
            // Memory turns the pointer into a number.
            slot.number = self.state.address();
            // SAFETY: a field of the slot; volatile, so that the number is really read back.
            task::on_whose_stack(unsafe { core::ptr::read_volatile(&raw const slot.number) })
        } else {
            put!(record.ifindex, place.ifindex_in());
            None
        };
        let (pid, comm) = match task {
            Some(task) => {
                flags |= PacketFlags::TASK;
                (task.tgid, task.comm)
            }
            None => (0, [0, 0]),
        };
        put!(record.flags, flags);
        put!(record.pid, pid);
        // SAFETY: two words are sixteen bytes.
        unsafe { words::copy(&raw mut (*record).comm, &comm) };
    }
}

/// Records the entry's state as the packet leaves it.
#[inline(always)]
fn after<M: Memory>(record: &mut PacketRecord, entry: NfConn<M>) {
    record.flags |= PacketFlags::AFTER;
    record.status_after = entry.status();
    record.timeout_after_jiffies = entry.timeout();
    let protonum = tuple::protonum(&record.tuple);
    if protonum == IPPROTO_TCP {
        tcp_after(record, NfConn::<Untyped>::new(entry.pointer()));
    } else {
        record.state_after = entry.proto_state(protonum);
    }
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
