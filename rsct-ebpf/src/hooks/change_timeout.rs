//! ctnetlink or a BPF program sets an entry's timeout.
//!
//! net/netfilter/nf_conntrack_core.c: `int __nf_ct_change_timeout(struct nf_conn *ct, u64 timeout)`
//!
//! It sets the timeout to `timeout` jiffies from now, except for an entry with a fixed timeout; the exit adds no
//! information.

use aya_ebpf::{
    helpers::bpf_jiffies64,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::record::{EntryFlags, EntryKind};

use super::entry::{self, Operation};
use crate::{
    globals::arg,
    kernel::{
        args::{Arguments, Frame},
        nf_conn::{IPS_FIXED_TIMEOUT, NfConn},
    },
    policy,
};

/// The kernel's upper limit for a timeout.
const LONGEST: u64 = i32::MAX as u64;

#[fentry(function = "__nf_ct_change_timeout")]
pub fn change_timeout_fentry(ctx: FEntryContext) -> u32 {
    changed(&ctx);
    0
}

#[kprobe]
pub fn change_timeout_kprobe(ctx: ProbeContext) -> u32 {
    changed(&ctx);
    0
}

#[inline(always)]
fn changed<C: Arguments + Frame>(ctx: &C) {
    let ct = NfConn::<C::Pointer>::new(ctx.pointer(&arg::CHANGE_TIMEOUT_CT));
    let Some(claim) = entry::begin(Operation::ChangeTimeout, ct.address(), ctx.frame()) else {
        return;
    };
    if entry::describe(claim.slot, EntryKind::ChangeTimeout, ct) {
        policy::send_at_first_sight(&claim.slot.record, ct);
        entry::note_task(claim.slot, ctx.frame());
        let record = &mut claim.slot.record;
        record.status_after = record.status_before;
        record.state_after = record.state_before;
        record.timeout_after_jiffies = if record.status_before & IPS_FIXED_TIMEOUT != 0 {
            record.timeout_before_jiffies
        } else {
            let requested = ctx.number(&arg::CHANGE_TIMEOUT_JIFFIES).min(LONGEST);
            // SAFETY: no arguments.
            let now = unsafe { bpf_jiffies64() };
            (now + requested) as u32
        };
        record.flags |= EntryFlags::RETURNED;
    }
    entry::finish(claim);
}
