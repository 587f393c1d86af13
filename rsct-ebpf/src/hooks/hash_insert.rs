//! The kernel inserts an entry into the table, by any path.
//!
//! net/netfilter/nf_conntrack_core.c: `static void __nf_conntrack_hash_insert(struct nf_conn *ct,
//! unsigned int hash, unsigned int reply_hash)`
//!
//! `IPS_CONFIRMED` may not be set yet: since 6.16 (and in the stable series since mid-2025) the
//! kernel sets it after the insert.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::record::EntryKind;

use super::entry::{self, Operation};
use crate::{
    globals::arg,
    kernel::{
        args::{Arguments, Frame},
        nf_conn::NfConn,
    },
};

#[fentry(function = "__nf_conntrack_hash_insert")]
pub fn hash_insert_fentry(ctx: FEntryContext) -> u32 {
    inserted(&ctx);
    0
}

#[kprobe]
pub fn hash_insert_kprobe(ctx: ProbeContext) -> u32 {
    inserted(&ctx);
    0
}

#[inline(always)]
fn inserted<C: Arguments + Frame>(ctx: &C) {
    let ct = NfConn::<C::Pointer>::new(ctx.pointer(&arg::INSERT_CT));
    if let Some(claim) = entry::begin(Operation::Insert, ct.address(), ctx.frame()) {
        entry::describe(claim.slot, EntryKind::Insert, ct);
        entry::finish(claim);
    }
}
