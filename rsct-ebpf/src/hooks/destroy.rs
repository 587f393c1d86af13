//! The kernel destroys an entry after its last reference: the address is free for another flow.
//!
//! net/netfilter/nf_conntrack_core.c: `void nf_ct_destroy(struct nf_conntrack *nfct)`

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::record::EntryKind;

use super::entry::{self, Operation};
use crate::{
    births,
    globals::{NF_CONN_GENERAL, arg},
    kernel::{
        Untyped,
        args::{Arguments, Frame},
        nf_conn::NfConn,
    },
};

#[fentry(function = "nf_ct_destroy")]
pub fn destroy_fentry(ctx: FEntryContext) -> u32 {
    destroyed(&ctx);
    0
}

#[kprobe]
pub fn destroy_kprobe(ctx: ProbeContext) -> u32 {
    destroyed(&ctx);
    0
}

/// The argument is the entry's `ct_general`, without the type of an entry.
#[inline(always)]
fn destroyed<C: Arguments + Frame>(ctx: &C) {
    let nfct = ctx.pointer(&arg::DESTROY_NFCT) as u64;
    let Some(claim) = entry::begin(Operation::Destroy, nfct, ctx.frame()) else {
        return;
    };
    // SAFETY: a field of the slot; volatile, so that the pointer is really read back as a number.
    let general = unsafe { core::ptr::read_volatile(&raw const claim.slot.owner) };
    let ct = NfConn::<Untyped>::new(general.wrapping_sub(NF_CONN_GENERAL.load()) as *const u8);
    entry::describe(claim.slot, EntryKind::Destroy, ct);
    entry::finish(claim);
    births::destroyed(ct.address());
}
