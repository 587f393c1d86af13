//! An entry made by hand: through ctnetlink, or by a BPF program.
//!
//! net/netfilter/nf_conntrack_core.c: `int nf_conntrack_hash_check_insert(struct nf_conn *ct)`

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
        Untyped,
        args::{Arguments, Frame},
        nf_conn::NfConn,
    },
    scratch::Slot,
};

#[fentry(function = "nf_conntrack_hash_check_insert")]
pub fn check_insert_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx, 0, ctx.as_ptr() as u64);
    0
}

#[kprobe]
pub fn check_insert_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx, ctx.frame(), ctx.frame());
    0
}

#[inline(always)]
fn enter<C: Arguments>(ctx: &C, frame: u64, stack_address: u64) {
    let ct = NfConn::<C::Pointer>::new(ctx.pointer(&arg::CHECK_INSERT_CT));
    if let Some(slot) = entry::begin(Operation::CheckInsert, ct.address(), frame)
        && entry::describe(slot, EntryKind::CheckInsert, ct)
    {
        entry::note_task(slot, stack_address);
    }
}

#[fexit(function = "nf_conntrack_hash_check_insert")]
pub fn check_insert_fexit(ctx: FExitContext) -> u32 {
    let ct = ctx.pointer(&arg::CHECK_INSERT_CT) as u64;
    if let Some(slot) = entry::slots(Operation::CheckInsert).and_then(|slots| slots.of_owner(ct)) {
        leave(slot, ctx.number(&arg::CHECK_INSERT_RETURN) as i32);
    }
    0
}

#[kretprobe]
pub fn check_insert_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(slot) = entry::slots(Operation::CheckInsert).and_then(|slots| slots.of_frame(ctx.frame())) {
        leave(slot, ctx.ret());
    }
    0
}

#[inline(always)]
fn leave(slot: &mut Slot<EntryRecord>, ret: i32) {
    if slot.record.flags & EntryFlags::REJECTED == 0 {
        entry::returned(&mut slot.record, ret);
        let ct = NfConn::<Untyped>::new(slot.record.ct as *const u8);
        entry::after(&mut slot.record, ct);
    }
    entry::finish(slot);
}
