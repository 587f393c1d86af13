//! The kernel deletes an entry from the table.
//!
//! net/netfilter/nf_conntrack_core.c: `bool nf_ct_delete(struct nf_conn *ct, u32 portid, int report)`
//!
//! True: deleted. False: it was dying already, or its destroy event could not be delivered.

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::record::{EntryFlags, EntryKind, EntryRecord};

use super::entry::{self, Operation};
use crate::{
    globals::arg,
    kernel::{
        args::{Arguments, Frame},
        nf_conn::NfConn,
    },
    scratch::Claim,
};

#[fentry(function = "nf_ct_delete")]
pub fn delete_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn delete_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

/// Reads everything at entry: at exit the address may belong to another entry.
#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) {
    let ct = NfConn::<C::Pointer>::new(ctx.pointer(&arg::DELETE_CT));
    if let Some(claim) = entry::begin(Operation::Delete, ct.address(), ctx.frame())
        && entry::describe(claim.slot, EntryKind::Delete, ct)
    {
        claim.slot.record.portid = ctx.number(&arg::DELETE_PORTID) as u32;
        entry::note_task(claim.slot, ctx.frame());
    }
}

#[fexit(function = "nf_ct_delete")]
pub fn delete_fexit(ctx: FExitContext) -> u32 {
    let ct = ctx.pointer(&arg::DELETE_CT) as u64;
    if let Some(claim) = entry::begun_by(Operation::Delete, ct, ctx.frame()) {
        leave(claim, ctx.number(&arg::DELETE_RETURN) as u8);
    }
    0
}

#[kretprobe]
pub fn delete_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(claim) = entry::begun(Operation::Delete, ctx.frame()) {
        leave(claim, ctx.ret());
    }
    0
}

#[inline(always)]
fn leave(claim: Claim<'_, EntryRecord>, deleted: u8) {
    let record = &mut claim.slot.record;
    if record.flags & EntryFlags::REJECTED == 0 {
        entry::returned(record, deleted as i32);
    }
    entry::finish(claim);
}
