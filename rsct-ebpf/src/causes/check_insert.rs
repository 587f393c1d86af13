//! A program requests an entry through ctnetlink or BPF, and the kernel refuses it.
//!
//! net/netfilter/nf_conntrack_core.c: `int nf_conntrack_hash_check_insert(struct nf_conn *ct)`

use core::mem::MaybeUninit;

use aya_ebpf::{
    macros::{fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::record::{CauseFamily, what};

use crate::{
    filter,
    globals::arg,
    kept::{self, Kept},
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        nf_conn::NfConn,
        tuple,
    },
    nested::{self, Notes},
    report,
};

/// Arguments, by entry.
#[map]
static INSERTING: PerCpuArray<Kept> = PerCpuArray::with_max_entries(1, 0);

/// Set if this function was called, for the program that sees ctnetlink's result.
#[map]
pub static CHECKED: Notes<u64> = nested::notes();

#[fexit(function = "nf_conntrack_hash_check_insert")]
pub fn why_insert_fexit(ctx: FExitContext) -> u32 {
    let ct = NfConn::<Typed>::new(ctx.pointer(&arg::CHECK_INSERT_CT));
    judge(ct, ctx.number(&arg::CHECK_INSERT_RETURN) as i32, ctx.frame());
    0
}

#[kprobe]
pub fn why_insert_kprobe(ctx: ProbeContext) -> u32 {
    let ct = ctx.pointer(&arg::CHECK_INSERT_CT) as u64;
    kept::keep(&INSERTING, ctx.frame(), ct, 0);
    0
}

#[kretprobe]
pub fn why_insert_kretprobe(ctx: RetProbeContext) -> u32 {
    kept::kept(&INSERTING, ctx.frame(), |ct, _| {
        let ct = NfConn::<Untyped>::new(ct as *const u8);
        judge(ct, ctx.ret::<i32>(), ctx.frame());
    });
    0
}

#[inline(always)]
fn judge<M: Memory>(ct: NfConn<M>, returned: i32, frame: u64) {
    nested::note(&CHECKED, frame, 1);
    if returned >= 0 {
        return;
    }
    let netns = ct.netns();
    let orig = ct.tuple(0);
    if !filter::wants_netns(netns) || !filter::wants(&orig, Some(ct)) {
        return;
    }
    let mut room = MaybeUninit::uninit();
    let key = report::key(
        &mut room,
        CauseFamily::Insert,
        what::INSERT_CREATE,
        tuple::protonum(&orig) as u16,
        netns,
        returned.unsigned_abs() as u64,
    );
    if let Some(mut record) = report::reserve(key, None) {
        report::note_task(&mut record, frame);
        report::describe(&mut record, ct);
        record.send();
    }
}
