//! A failed allocation of an entry, or one that evicted another entry.
//!
//! net/netfilter/nf_conntrack_core.c: `static struct nf_conn *__nf_conntrack_alloc(struct net *net,
//! const struct nf_conntrack_zone *zone, const struct nf_conntrack_tuple *orig,
//! const struct nf_conntrack_tuple *repl, gfp_t gfp, u32 hash)`

use core::mem::MaybeUninit;

use aya_ebpf::{
    EbpfContext,
    macros::{fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{
    TupleWords,
    loss::Loss,
    record::{CauseFamily, what},
};

use crate::{
    early_drop::EARLY_DROP,
    filter,
    globals::{NET_INUM, ZONE_ID, arg},
    kernel::{
        Memory, Untyped,
        args::{Arguments, Frame},
        field,
        nf_conn::NfConn,
    },
    nested, report,
    scratch::Slots,
};

/// A result above this is a negative errno (`IS_ERR`, include/linux/err.h: up to 4095).
const LAST_POINTER: u64 = -4096i64 as u64;

/// The requested entry.
#[repr(C)]
#[derive(Clone, Copy)]
struct Request {
    netns: u32,
    zone: u32,
    orig: TupleWords,
    reply: TupleWords,
}

/// A kretprobe has no arguments, so the kprobe saves them.
#[map]
static REQUESTS: PerCpuArray<Slots<Request>> = PerCpuArray::with_max_entries(1, 0);

#[fexit(function = "__nf_conntrack_alloc")]
pub fn why_alloc_fexit(ctx: FExitContext) -> u32 {
    if let Some(code) = judge(ctx.number(&arg::ALLOC_RETURN), ctx.frame()) {
        report(code, &request(&ctx), &ctx);
    }
    0
}

#[kprobe]
pub fn why_alloc_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(slots) = REQUESTS.get_ptr_mut(0)
        // SAFETY: this CPU's slots; `scratch` explains who else can access them.
        && let Some(claim) = unsafe { &mut *slots }.claim(0, ctx.frame(), Loss::OperationForgotten)
    {
        claim.slot.record = request(&ctx);
    }
    0
}

#[kretprobe]
pub fn why_alloc_kretprobe(ctx: RetProbeContext) -> u32 {
    let Some(slots) = REQUESTS.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: as above.
    let Some(claim) = unsafe { &mut *slots }.claimed_at(ctx.frame()) else {
        return 0;
    };
    let claim = claim.begin_exit();
    if let Some(code) = judge(ctx.ret::<u64>(), ctx.frame()) {
        report(code, &claim.slot.record, &ctx);
    }
    claim.free();
    0
}

#[inline(always)]
fn request<C: Arguments>(ctx: &C) -> Request {
    Request {
        netns: field::<C::Pointer, _>(ctx.pointer(&arg::ALLOC_NET), &NET_INUM),
        zone: field::<C::Pointer, u16>(ctx.pointer(&arg::ALLOC_ZONE), &ZONE_ID) as u32,
        orig: C::Pointer::read_tuple(ctx.pointer(&arg::ALLOC_ORIG)),
        reply: C::Pointer::read_tuple(ctx.pointer(&arg::ALLOC_REPL)),
    }
}

/// Returns the cause of an allocation that returned `pointer`, if any.
#[inline(always)]
fn judge(pointer: u64, frame: u64) -> Option<u8> {
    let failed = pointer > LAST_POINTER;
    match nested::take_called(&EARLY_DROP, frame, |evicted| *evicted) {
        Some(1..) if !failed => Some(what::FULL_EVICTED),
        Some(0) if failed => Some(what::FULL_REFUSED),
        _ if failed => Some(what::FULL_NO_MEMORY),
        _ => None,
    }
}

#[inline(always)]
fn report<C: Frame + EbpfContext>(code: u8, request: &Request, ctx: &C) {
    if !filter::wants_netns(request.netns)
        || !filter::wants::<Untyped>(&request.orig, None::<NfConn<Untyped>>)
    {
        return;
    }
    let mut room = MaybeUninit::uninit();
    let key = report::key(&mut room, CauseFamily::Full, code, 0, request.netns, 0);
    if let Some(mut record) = report::reserve(key, None) {
        report::note_task(&mut record, ctx.frame());
        record.zone = request.zone as u16;
        record.tuple = request.orig;
        record.other = request.reply;
        record.stack = report::stack(ctx);
        record.send();
    }
}
