//! A program requests an entry through ctnetlink that already exists: the kernel finds it before it creates one.
//!
//! net/netfilter/nf_conntrack_netlink.c: `static int ctnetlink_new_conntrack(struct sk_buff *skb,
//! const struct nfnl_info *info, const struct nlattr * const cda[])`

use core::mem::MaybeUninit;

use aya_ebpf::{
    macros::{fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::record::{CauseFamily, what};

use crate::{
    check_insert::CHECKED,
    filter,
    globals::{NET_INUM, NFNL_INFO_NET, arg},
    kept::{self, Kept},
    kernel::{
        Untyped,
        args::{Arguments, Frame},
        field,
    },
    nested, report,
};

/// Arguments, by namespace.
#[map]
static CREATING: PerCpuArray<Kept> = PerCpuArray::with_max_entries(1, 0);

#[fexit(function = "ctnetlink_new_conntrack")]
pub fn new_conntrack_fexit(ctx: FExitContext) -> u32 {
    judge(
        netns(&ctx),
        ctx.number(&arg::NEW_CONNTRACK_RETURN) as i32,
        ctx.frame(),
    );
    0
}

#[kprobe]
pub fn new_conntrack_kprobe(ctx: ProbeContext) -> u32 {
    kept::keep(&CREATING, ctx.frame(), netns(&ctx) as u64, 0);
    0
}

#[kretprobe]
pub fn new_conntrack_kretprobe(ctx: RetProbeContext) -> u32 {
    kept::kept(&CREATING, ctx.frame(), |netns, _| {
        judge(netns as u32, ctx.ret::<i32>(), ctx.frame());
    });
    0
}

#[inline(always)]
fn netns<C: Arguments>(ctx: &C) -> u32 {
    let info = ctx.pointer(&arg::NEW_CONNTRACK_INFO);
    let net: u64 = field::<Untyped, _>(info, &NFNL_INFO_NET);
    field::<Untyped, _>(net as *const u8, &NET_INUM)
}

/// A failed insert is already reported with its tuple, which only the netlink attributes contain here.
#[inline(always)]
fn judge(netns: u32, returned: i32, frame: u64) {
    const EEXIST: i32 = 17;
    let reported = nested::take_called(&CHECKED, frame, |_| ()).is_some();
    if reported || returned != -EEXIST || !filter::wants_netns(netns) || filter::has_tests() {
        return;
    }
    let mut room = MaybeUninit::uninit();
    let key = report::key(
        &mut room,
        CauseFamily::Insert,
        what::INSERT_CREATE,
        0,
        netns,
        EEXIST as u64,
    );
    if let Some(mut record) = report::reserve(key, None) {
        report::note_task(&mut record, frame);
        record.send();
    }
}
