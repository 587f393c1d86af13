//! The last reference to an entry is gone: its address is free for another flow.
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
    kernel::{Untyped, args::Arguments, nf_conn::NfConn},
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

/// The argument is the entry's `ct_general`, not typed as an entry.
#[inline(always)]
fn destroyed<C: Arguments>(ctx: &C) {
    let Some(slot) = entry::at_once(Operation::Destroy) else {
        return;
    };
    slot.number = ctx.pointer(&arg::DESTROY_NFCT) as u64;
    // SAFETY: its own field; volatile, so that a pointer really comes back as a number.
    let general = unsafe { core::ptr::read_volatile(&raw const slot.number) };
    let ct = NfConn::<Untyped>::new(general.wrapping_sub(NF_CONN_GENERAL.load()) as *const u8);
    entry::describe(slot, EntryKind::Destroy, ct);
    entry::finish(slot);
    births::gone(ct.address());
}
