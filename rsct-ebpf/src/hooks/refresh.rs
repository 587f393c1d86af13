//! The kernel refreshes an entry's timeout.
//!
//! net/netfilter/nf_conntrack_core.c, `void __nf_ct_refresh_acct(struct nf_conn *ct, …)`; the other parameters
//! changed within stable series, `extra_jiffies` exists in all of them.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::record::{EntryKind, PacketFlags};

use super::entry::{self, Operation};
use crate::{
    globals::arg,
    kernel::{
        args::{Arguments, Frame},
        nf_conn::NfConn,
    },
    policy, scratch,
};

#[fentry(function = "__nf_ct_refresh_acct")]
pub fn refresh_fentry(ctx: FEntryContext) -> u32 {
    refreshed(&ctx);
    0
}

#[kprobe]
pub fn refresh_kprobe(ctx: ProbeContext) -> u32 {
    refreshed(&ctx);
    0
}

/// Within a packet's traversal it becomes part of the packet's record; outside (a helper, an offloaded flow) it gets
/// a record of its own.
#[inline(always)]
fn refreshed<C: Arguments + Frame>(ctx: &C) {
    let ct = NfConn::<C::Pointer>::new(ctx.pointer(&arg::REFRESH_CT));
    let extra = ctx.number(&arg::REFRESH_EXTRA) as u32;
    let Some(slots) = scratch::traversals() else {
        return;
    };
    if let Some(slot) = slots.handling(ct.address(), ctx.frame()) {
        slot.record.flags |= PacketFlags::REFRESHED;
        slot.record.refresh_jiffies = extra;
        return;
    }
    if let Some(claim) = entry::begin(Operation::Refresh, ct.address(), ctx.frame()) {
        if entry::describe(claim.slot, EntryKind::Refresh, ct) {
            policy::send_at_first_sight(&claim.slot.record, ct);
        }
        claim.slot.record.refresh_jiffies = extra;
        entry::finish(claim);
    }
}
