//! The lookups and evictions of NAT's search for a tuple.
//!
//! net/netfilter/nf_conntrack_core.c: `int nf_conntrack_tuple_taken(const struct nf_conntrack_tuple *tuple,
//! const struct nf_conn *ignored_conntrack)`, and, for the last tuples that a TCP connection tries, from about Linux
//! 6.2 on (`nf_nat_used_tuple_harder`, net/netfilter/nf_nat_core.c), `struct nf_conntrack_tuple_hash
//! *nf_conntrack_find_get(struct net *net, const struct nf_conntrack_zone *zone, const struct nf_conntrack_tuple
//! *tuple)`, after which `bool nf_ct_delete(struct nf_conn *ct, u32 portid, int report)` frees a tuple.

use core::mem::MaybeUninit;

use aya_ebpf::{
    macros::{fexit, kretprobe},
    programs::{FExitContext, RetProbeContext},
};
use rsct_common::record::{CauseFamily, what};

use crate::{
    globals::arg,
    kernel::args::{Arguments, Frame},
    nat::{self, Search},
    report,
};

#[fexit(function = "nf_conntrack_tuple_taken")]
pub fn tuple_taken_fexit(ctx: FExitContext) -> u32 {
    taken(
        ctx.frame(),
        Some(ctx.number(&arg::TAKEN_CT)),
        ctx.number(&arg::TAKEN_RETURN) as u32,
    );
    0
}

#[kretprobe]
pub fn tuple_taken_kretprobe(ctx: RetProbeContext) -> u32 {
    taken(ctx.frame(), None, ctx.ret::<u32>());
    0
}

#[inline(always)]
fn taken(frame: u64, ct: Option<u64>, returned: u32) {
    if let Some(search) = nat::under_way(frame, ct) {
        search.tried(returned != 0);
        if returned != 0 {
            count_taken(search);
        }
    }
}

/// The kernel counts it as `found`.
#[inline(always)]
fn count_taken(search: &Search) {
    if !search.is_wanted() {
        return;
    }
    let mut room = MaybeUninit::uninit();
    let key = report::key(&mut room, CauseFamily::Nat, what::NAT_TAKEN, 0, search.netns(), 0);
    report::counted(key, None);
}

#[fexit(function = "nf_conntrack_find_get")]
pub fn nat_find_fexit(ctx: FExitContext) -> u32 {
    found(ctx.frame(), ctx.number(&arg::FIND_GET_RETURN));
    0
}

#[kretprobe]
pub fn nat_find_kretprobe(ctx: RetProbeContext) -> u32 {
    found(ctx.frame(), ctx.ret::<u64>());
    0
}

/// UDP and similar protocols look up a tuple a second time.
#[inline(always)]
fn found(frame: u64, hash: u64) {
    if let Some(search) = nat::under_way(frame, None)
        && search.is_tcp()
    {
        search.tried(hash != 0);
    }
}

#[fexit(function = "nf_ct_delete")]
pub fn nat_delete_fexit(ctx: FExitContext) -> u32 {
    deleted(ctx.frame(), ctx.number(&arg::DELETE_RETURN));
    0
}

#[kretprobe]
pub fn nat_delete_kretprobe(ctx: RetProbeContext) -> u32 {
    deleted(ctx.frame(), ctx.ret::<u64>());
    0
}

/// The search also deletes expired entries (`nf_ct_gc_expired`): the next lookup shows that such a delete was not its
/// end.
#[inline(always)]
fn deleted(frame: u64, returned: u64) {
    if returned & 0xff != 0
        && let Some(search) = nat::under_way(frame, None)
        && search.is_tcp()
    {
        search.evicts();
    }
}
