//! An entry's timeout is set, by ctnetlink or by a BPF program.
//!
//! net/netfilter/nf_conntrack_core.c: `int __nf_ct_change_timeout(struct nf_conn *ct, u64 timeout)`

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::record::{EntryFlags, EntryKind, EntryRecord};

use super::entry::{self, Operation};
use crate::{
    globals::arg,
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        nf_conn::NfConn,
    },
    policy,
    scratch::Claim,
};

#[fentry(function = "__nf_ct_change_timeout")]
pub fn change_timeout_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn change_timeout_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) {
    let ct = NfConn::<C::Pointer>::new(ctx.pointer(&arg::CHANGE_TIMEOUT_CT));
    if let Some(claim) = entry::begin(Operation::ChangeTimeout, ct.address(), ctx.frame())
        && entry::describe(claim.slot, EntryKind::ChangeTimeout, ct)
    {
        policy::tell_at_first_sight(&claim.slot.record, ct);
        entry::note_task(claim.slot, ctx.frame());
    }
}

#[fexit(function = "__nf_ct_change_timeout")]
pub fn change_timeout_fexit(ctx: FExitContext) -> u32 {
    let ct = NfConn::<Typed>::new(ctx.pointer(&arg::CHANGE_TIMEOUT_CT));
    if let Some(claim) = entry::begun_by(Operation::ChangeTimeout, ct.address(), ctx.frame()) {
        leave(claim, ct);
    }
    0
}

#[kretprobe]
pub fn change_timeout_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(claim) = entry::begun(Operation::ChangeTimeout, ctx.frame()) {
        let ct = NfConn::<Untyped>::new(claim.slot.record.ct as *const u8);
        leave(claim, ct);
    }
    0
}

/// Whether it was done shows in the timeout: one that is fixed stays.
#[inline(always)]
fn leave<M: Memory>(claim: Claim<'_, EntryRecord>, ct: NfConn<M>) {
    let record = &mut claim.slot.record;
    if record.flags & EntryFlags::REJECTED == 0 {
        entry::returned(record, 0);
        entry::after(record, ct);
    }
    entry::finish(claim);
}
