//! ctnetlink or a BPF program creates an entry.
//!
//! net/netfilter/nf_conntrack_core.c: `int nf_conntrack_hash_check_insert(struct nf_conn *ct)`

use aya_ebpf::{
    macros::{fexit, kprobe, kretprobe},
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::record::{EntryFlags, EntryKind};

use super::entry::{self, Operation};
use crate::{
    globals::arg,
    kernel::{
        Typed, Untyped,
        args::{Arguments, Frame},
        nf_conn::NfConn,
    },
};

/// The exit alone is enough: the caller still holds the entry.
#[fexit(function = "nf_conntrack_hash_check_insert")]
pub fn check_insert_fexit(ctx: FExitContext) -> u32 {
    let ct = NfConn::<Typed>::new(ctx.pointer(&arg::CHECK_INSERT_CT));
    if let Some(claim) = entry::begin(Operation::CheckInsert, ct.address(), ctx.frame()) {
        if entry::describe(claim.slot, EntryKind::CheckInsert, ct) {
            entry::note_task(claim.slot, ctx.frame());
            claim.slot.record.ret = ctx.number(&arg::CHECK_INSERT_RETURN) as i32;
            claim.slot.record.flags |= EntryFlags::RETURNED;
            entry::after(&mut claim.slot.record, ct);
        }
        entry::finish(claim);
    }
    0
}

#[kprobe]
pub fn check_insert_kprobe(ctx: ProbeContext) -> u32 {
    let ct = NfConn::<Untyped>::new(ctx.pointer(&arg::CHECK_INSERT_CT));
    if let Some(claim) = entry::begin(Operation::CheckInsert, ct.address(), ctx.frame())
        && entry::describe(claim.slot, EntryKind::CheckInsert, ct)
    {
        entry::note_task(claim.slot, ctx.frame());
    }
    0
}

#[kretprobe]
pub fn check_insert_kretprobe(ctx: RetProbeContext) -> u32 {
    let Some(claim) = entry::begun(Operation::CheckInsert, ctx.frame()) else {
        return 0;
    };
    let record = &mut claim.slot.record;
    if record.flags & EntryFlags::REJECTED == 0 {
        entry::returned(record, ctx.ret());
        let ct = NfConn::<Untyped>::new(record.ct as *const u8);
        entry::after(record, ct);
    }
    entry::finish(claim);
    0
}
