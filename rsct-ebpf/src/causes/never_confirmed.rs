//! The kernel destroys an entry that was never in the table: its packet did not reach its destination.
//!
//! net/netfilter/nf_conntrack_core.c: `void nf_ct_destroy(struct nf_conntrack *nfct)`

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::record::{CauseFamily, CauseFlags, CauseKey, drop, what};

use crate::{
    death::{self, Death},
    fate, filter,
    globals::arg,
    kernel::{
        Untyped,
        args::{Arguments, Frame},
        nf_conn::{IPS_CONFIRMED, IPS_TEMPLATE, NfConn},
    },
    report,
};

#[fentry(function = "nf_ct_destroy")]
pub fn why_destroy_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn why_destroy_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame + EbpfContext>(ctx: &C) {
    let ct = NfConn::<Untyped>::new(ctx.pointer(&arg::DESTROY_NFCT));
    if ct.status() & (IPS_CONFIRMED | IPS_TEMPLATE) != 0 {
        return;
    }
    let fate = fate::take(ct.address());
    let death = death::of(ct.address());
    let netns = ct.netns();
    if !filter::wants_netns(netns) || !filter::wants(&ct.tuple(0), Some(ct)) {
        return;
    }
    let key = CauseKey {
        family: CauseFamily::Drop as u8,
        what: if fate != 0 {
            fate as u8
        } else if death.is_some() {
            what::DROP_FREED
        } else {
            what::DROP_RELEASED
        },
        more: death.map_or(0, |death| death.reason as u16),
        netns,
        detail: death.map_or(0, |death| death.location),
        stack: death.map_or_else(|| report::stack(ctx), |death| death.stack),
    };
    if let Some(mut record) = report::reserve(&key, None) {
        report::note_task(&mut record, ctx.frame());
        report::describe(&mut record, ct);
        record.left_jiffies = ct.timeout() as i32;
        if let Some(death) = death {
            add_death(&mut record, death);
        }
        record.send();
    }
}

#[inline(always)]
fn add_death(record: &mut rsct_common::record::CauseRecord, death: &Death) {
    record.ifindex = death.ifindex;
    record.numbers[drop::REASON] = death.reason as u64;
    if death.tcp & Death::IS_TCP != 0 {
        record.flags |= CauseFlags::TCP;
        record.tcp_flags = death.tcp as u8;
    }
}
