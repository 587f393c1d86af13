//! Two entries for one tuple: which was first, which was second, and the result.
//!
//! net/netfilter/nf_conntrack_core.c: `static int nf_ct_resolve_clash(struct sk_buff *skb,
//! struct nf_conntrack_tuple_hash *h, u32 reply_hash)`, and `static int __nf_ct_resolve_clash(struct sk_buff *skb,
//! struct nf_conntrack_tuple_hash *h)`, which it calls if the protocol allows clashes. The step after that,
//! `nf_ct_resolve_clash_harder`, is inlined: it does not change the packet's entry.

use core::mem::MaybeUninit;

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe, map},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{
    TupleWords,
    record::{CauseFamily, CauseFlags, what},
};

use crate::{
    filter,
    globals::{NF_CONN_TUPLEHASH, TUPLE_HASH_TUPLE, arg},
    kernel::{
        Memory as _, NF_DROP, Untyped,
        args::{Arguments, Frame},
        at,
        nf_conn::{NfConn, TUPLE_HASH_BYTES},
        sk_buff::SkBuff,
        tuple,
    },
    nested::{self, Notes},
    report, words,
};

/// Both entries before the kernel resolves the clash: the loser may be destroyed afterwards.
#[repr(C)]
#[derive(Clone, Copy)]
struct Clash {
    skb: u64,
    loser: u64,
    winner_tuple: [TupleWords; 2],
    loser_tuple: [TupleWords; 2],
    netns: u32,
    status: u32,
    zone: u32,
    wanted: u32,
}

impl Clash {
    const EMPTY: Self = Self {
        skb: 0,
        loser: 0,
        winner_tuple: [[0; 5]; 2],
        loser_tuple: [[0; 5]; 2],
        netns: 0,
        status: 0,
        zone: 0,
        wanted: 0,
    };
}

#[map]
static CLASHES: Notes<Clash> = nested::notes();

/// Set if the protocol allows clashes: the kernel then tried to use one entry for both packets.
#[map]
static TRIED: Notes<u64> = nested::notes();

/// Set if the kernel drops a packet because of a clash, for the program that sees that an entry was not confirmed.
#[map]
pub static DROPPED: Notes<u64> = nested::notes();

#[fentry(function = "__nf_ct_resolve_clash")]
pub fn clash_tried_fentry(ctx: FEntryContext) -> u32 {
    nested::note(&TRIED, ctx.frame(), 1);
    0
}

#[kprobe]
pub fn clash_tried_kprobe(ctx: ProbeContext) -> u32 {
    nested::note(&TRIED, ctx.frame(), 1);
    0
}

#[fentry(function = "nf_ct_resolve_clash")]
pub fn clash_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn clash_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[fexit(function = "nf_ct_resolve_clash")]
pub fn clash_fexit(ctx: FExitContext) -> u32 {
    leave(&ctx, ctx.number(&arg::CLASH_RETURN) as u32);
    0
}

#[kretprobe]
pub fn clash_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ctx.ret::<u32>());
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) {
    nested::note_in_place(&CLASHES, ctx.frame(), Clash::EMPTY, |note| {
        let skb = SkBuff::<Untyped>::new(ctx.pointer(&arg::CLASH_SKB));
        let loser = NfConn::<Untyped>::new(skb.nfct().ct());
        // Memory turns the pointer into a number, which allows arithmetic.
        let number = &raw mut note.number;
        // SAFETY: the note's own field; volatile, so that the number is really read back.
        let hash = unsafe {
            core::ptr::write_volatile(number, ctx.number(&arg::CLASH_H));
            core::ptr::read_volatile(number) as *const u8
        };
        // The direction in the tuple hash shows its position in the entry.
        let found = Untyped::read_tuple(at(hash, TUPLE_HASH_TUPLE.load()));
        let direction = tuple::direction(&found) as u64 & 1;
        let into_entry = NF_CONN_TUPLEHASH.load() + direction * TUPLE_HASH_BYTES;
        let winner = NfConn::<Untyped>::new(hash.wrapping_sub(into_entry as usize));
        let clash = &mut note.noted;
        clash.skb = skb.address();
        clash.loser = loser.address();
        clash.winner_tuple = [winner.tuple(0), winner.tuple(1)];
        clash.loser_tuple = [loser.tuple(0), loser.tuple(1)];
        clash.netns = loser.netns();
        clash.zone = loser.zone() as u32;
        clash.status = winner.status();
        clash.wanted =
            (filter::wants_netns(clash.netns) && filter::wants(&clash.loser_tuple[0], Some(loser))) as u32;
    });
}

#[inline(always)]
fn leave<C: Frame>(ctx: &C, verdict: u32) {
    let frame = ctx.frame();
    let tried = nested::take_called(&TRIED, frame, |_| ()).is_some();
    nested::take_own(&CLASHES, frame, |clash| {
        if clash.wanted == 0 {
            return;
        }
        let skb = SkBuff::<Untyped>::new(clash.skb as *const u8);
        let kept = skb.nfct().ct() as u64 == clash.loser;
        let code = match (verdict != NF_DROP, tried) {
            (true, _) if kept => what::INSERT_CLASH_HIDDEN,
            (true, _) => what::INSERT_CLASH_RESOLVED,
            (false, false) => what::INSERT_CLASH_REFUSED,
            (false, true) => what::INSERT_CLASH_UNRESOLVED,
        };
        report(code, clash, frame);
    });
    if verdict == NF_DROP {
        nested::note(&DROPPED, frame, 1);
    }
}

#[inline(always)]
fn report(code: u8, clash: &Clash, frame: u64) {
    let mut room = MaybeUninit::uninit();
    let key = report::key(
        &mut room,
        CauseFamily::Insert,
        code,
        tuple::protonum(&clash.loser_tuple[0]) as u16,
        clash.netns,
        0,
    );
    if let Some(mut record) = report::reserve(key, None) {
        report::note_task(&mut record, frame);
        record.flags |= CauseFlags::CLASH;
        record.ct = clash.loser;
        record.zone = clash.zone as u16;
        record.status = clash.status;
        // SAFETY: tuples are words, both in the record and in the slot.
        unsafe {
            words::copy(&raw mut record.tuple, &raw const clash.loser_tuple[0]);
            words::copy(&raw mut record.other, &raw const clash.loser_tuple[1]);
            words::copy(&raw mut record.rival[0], &raw const clash.winner_tuple[0]);
            words::copy(&raw mut record.rival[1], &raw const clash.winner_tuple[1]);
        }
        record.send();
    }
}
