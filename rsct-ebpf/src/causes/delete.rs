//! The kernel deletes an entry: the callers show why.
//!
//! net/netfilter/nf_conntrack_core.c: `bool nf_ct_delete(struct nf_conn *ct, u32 portid, int report)`
//!
//! It deletes any entry that is not dying already, so a program at its entry has all facts.

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::record::{CauseFamily, CauseKey, delete, what};

use crate::{
    filter,
    globals::arg,
    kernel::{
        args::{Arguments, Frame},
        nf_conn::{IPS_DYING, IPS_SEEN_REPLY, IPS_TEMPLATE, NfConn},
    },
    report,
};

#[fentry(function = "nf_ct_delete")]
pub fn why_delete_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn why_delete_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame + EbpfContext>(ctx: &C) {
    let ct = NfConn::<C::Pointer>::new(ctx.pointer(&arg::DELETE_CT));
    let status = ct.status();
    if status & (IPS_DYING | IPS_TEMPLATE) != 0 {
        return;
    }
    let netns = ct.netns();
    if !filter::wants_netns(netns) || !filter::wants(&ct.tuple(0), Some(ct)) {
        return;
    }
    let portid = ctx.number(&arg::DELETE_PORTID) as u32;
    // The stack does not always show a netlink request, and garbage collection also deletes entries that have not
    // expired.
    let mut more = 0;
    if portid != 0 {
        more |= delete::BY_NETLINK;
    }
    if report::left_jiffies(ct) <= 0 {
        more |= delete::EXPIRED;
    }
    if status & IPS_SEEN_REPLY == 0 {
        more |= delete::UNREPLIED;
    }
    let key = CauseKey {
        family: CauseFamily::Delete as u8,
        what: what::DELETE,
        more,
        netns,
        detail: 0,
        stack: report::stack(ctx),
    };
    if let Some(mut record) = report::reserve(&key, None) {
        report::note_task(&mut record, ctx.frame());
        report::describe(&mut record, ct);
        record.portid = portid;
        record.send();
    }
}
