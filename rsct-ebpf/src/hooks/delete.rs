//! An entry leaves the table.
//!
//! net/netfilter/nf_conntrack_core.c: `bool nf_ct_delete(struct nf_conn *ct, u32 portid, int report)`
//!
//! True: deleted. False: it was dying already, or its destroy event could not be delivered.

use aya_ebpf::{
    EbpfContext as _,
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
    scratch::Slot,
};

#[fentry(function = "nf_ct_delete")]
pub fn delete_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx, 0, ctx.as_ptr() as u64);
    0
}

#[kprobe]
pub fn delete_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx, ctx.frame(), ctx.frame());
    0
}

/// All is read on the way in: on the way out the entry may be another's.
#[inline(always)]
fn enter<C: Arguments>(ctx: &C, frame: u64, stack_address: u64) {
    let ct = NfConn::<C::Pointer>::new(ctx.pointer(&arg::DELETE_CT));
    if let Some(slot) = entry::begin(Operation::Delete, ct.address(), frame)
        && entry::describe(slot, EntryKind::Delete, ct)
    {
        slot.record.portid = ctx.number(&arg::DELETE_PORTID) as u32;
        entry::note_task(slot, stack_address);
    }
}

#[fexit(function = "nf_ct_delete")]
pub fn delete_fexit(ctx: FExitContext) -> u32 {
    let ct = ctx.pointer(&arg::DELETE_CT) as u64;
    if let Some(slot) = entry::slots(Operation::Delete).and_then(|slots| slots.of_owner(ct)) {
        leave(slot, ctx.number(&arg::DELETE_RETURN) as u8);
    }
    0
}

#[kretprobe]
pub fn delete_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(slot) = entry::slots(Operation::Delete).and_then(|slots| slots.of_frame(ctx.frame())) {
        leave(slot, ctx.ret());
    }
    0
}

#[inline(always)]
fn leave(slot: &mut Slot<EntryRecord>, deleted: u8) {
    if slot.record.flags & EntryFlags::REJECTED == 0 {
        entry::returned(&mut slot.record, deleted as i32);
    }
    entry::finish(slot);
}
