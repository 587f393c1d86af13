//! The birth of an entry, or a failed allocation.
//!
//! net/netfilter/nf_conntrack_core.c: `static struct nf_conn *__nf_conntrack_alloc(struct net *net,
//! const struct nf_conntrack_zone *zone, const struct nf_conntrack_tuple *orig,
//! const struct nf_conntrack_tuple *repl, gfp_t gfp, u32 hash)`

use aya_ebpf::{
    helpers::bpf_ktime_get_ns,
    macros::{fexit, kprobe, kretprobe},
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use aya_log_ebpf::info;
use rsct_common::record::{EntryFlags, EntryKind, EntryRecord, kind};

use super::entry::{self, Operation};
use crate::{
    births, emit, filter,
    globals::{NET_INUM, ZONE_ID, arg},
    kernel::{
        Memory, Untyped,
        args::{Arguments, Frame},
        field,
        nf_conn::NfConn,
    },
    scratch::{Claim, Slot},
    words,
};

/// A result above this is a negative errno (`IS_ERR`, include/linux/err.h: up to 4095).
const LAST_POINTER: u64 = -4096i64 as u64;

#[fexit(function = "__nf_conntrack_alloc")]
pub fn alloc_fexit(ctx: FExitContext) -> u32 {
    let ct = ctx.number(&arg::ALLOC_RETURN);
    let Some(errno) = errno(ct) else {
        born(ct);
        return 0;
    };
    info!(&ctx, "no entry could be allocated: {}", errno);
    if let Some(claim) = begin(&ctx) {
        failed(claim, errno);
    }
    0
}

/// A kretprobe has no arguments, so the kprobe saves them.
#[kprobe]
pub fn alloc_kprobe(ctx: ProbeContext) -> u32 {
    begin(&ctx);
    0
}

#[kretprobe]
pub fn alloc_kretprobe(ctx: RetProbeContext) -> u32 {
    let ct = ctx.ret::<u64>();
    let claim = entry::begun(Operation::Alloc, ctx.frame());
    match errno(ct) {
        None => {
            if let Some(claim) = claim {
                claim.free();
            }
            born(ct);
        }
        Some(errno) => {
            if let Some(claim) = claim {
                failed(claim, errno);
            }
        }
    }
    0
}

#[inline(always)]
fn errno(pointer: u64) -> Option<i32> {
    // One comparison: the verifier allows comparisons with a pointer, but no arithmetic.
    (pointer > LAST_POINTER).then(|| core::hint::black_box(pointer) as i32)
}

#[inline(always)]
fn born(ct: u64) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    births::born(ct, now);
}

#[inline(always)]
fn begin<C: Arguments + Frame>(ctx: &C) -> Option<Claim<'static, EntryRecord>> {
    let orig = ctx.pointer(&arg::ALLOC_ORIG) as u64;
    let claim = entry::begin(Operation::Alloc, orig, ctx.frame())?;
    record_request(claim.slot, ctx);
    Some(claim)
}

/// Records the tuple of the requested entry.
#[inline(always)]
fn record_request<C: Arguments>(slot: &mut Slot<EntryRecord>, ctx: &C) {
    let record = &mut slot.record;
    // SAFETY: a record of the slot; all zeros are valid.
    unsafe { words::zero(record) };
    record.kind = kind::ENTRY;
    record.what = EntryKind::AllocFailed as u8;
    record.cpu = emit::cpu() as u16;
    record.netns = field::<C::Pointer, _>(ctx.pointer(&arg::ALLOC_NET), &NET_INUM);
    record.zone = field::<C::Pointer, _>(ctx.pointer(&arg::ALLOC_ZONE), &ZONE_ID);
    record.orig = C::Pointer::read_tuple(ctx.pointer(&arg::ALLOC_ORIG));
    record.reply = C::Pointer::read_tuple(ctx.pointer(&arg::ALLOC_REPL));
    // SAFETY: no arguments.
    record.time_ns = unsafe { bpf_ktime_get_ns() };
    if !filter::wants_netns(record.netns) || !filter::wants::<Untyped>(&record.orig, None::<NfConn<Untyped>>)
    {
        record.flags |= EntryFlags::REJECTED;
    }
}

#[inline(always)]
fn failed(claim: Claim<'_, EntryRecord>, errno: i32) {
    claim.slot.record.ret = errno;
    claim.slot.record.flags |= EntryFlags::RETURNED;
    entry::finish(claim);
}
