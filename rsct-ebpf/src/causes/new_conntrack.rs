//! A program asks ctnetlink for an entry that is there already: that is found before one is made.
//!
//! net/netfilter/nf_conntrack_netlink.c: `static int ctnetlink_new_conntrack(struct sk_buff *skb,
//! const struct nfnl_info *info, const struct nlattr * const cda[])`

use aya_ebpf::{
    macros::{fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{
    loss::Loss,
    record::{CauseFamily, CauseKey, STACK_FRAMES, what},
};

use crate::{
    check_insert::CHECKED,
    filter,
    globals::{NET_INUM, NFNL_INFO_NET, arg},
    kernel::{
        Untyped,
        args::{Arguments, Frame},
        field,
    },
    nested::Nested,
    scratch::Slots,
    tell,
};

/// A kretprobe has no arguments: the namespace is a slot's owner.
#[map]
static ASKING: PerCpuArray<Slots<u64>> = PerCpuArray::with_max_entries(1, 0);

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
    if let Some(slots) = ASKING.get_ptr_mut(0) {
        // SAFETY: this CPU's slots; see `scratch` for who else may look at them meanwhile.
        let _ = unsafe { &mut *slots }.claim(netns(&ctx) as u64, ctx.frame(), Loss::OperationForgotten);
    }
    0
}

#[kretprobe]
pub fn new_conntrack_kretprobe(ctx: RetProbeContext) -> u32 {
    let Some(slots) = ASKING.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: as above.
    let Some(claim) = unsafe { &mut *slots }.claimed_at(ctx.frame()) else {
        return 0;
    };
    let claim = claim.at_work();
    judge(claim.slot.owner as u32, ctx.ret::<i32>(), ctx.frame());
    claim.free();
    0
}

#[inline(always)]
fn netns<C: Arguments>(ctx: &C) -> u32 {
    let info = ctx.pointer(&arg::NEW_CONNTRACK_INFO);
    let net: u64 = field::<Untyped, _>(info, &NFNL_INFO_NET);
    field::<Untyped, _>(net as *const u8, &NET_INUM)
}

/// What was looked for on the way into the table has been told of, with its tuple, which only attributes say here.
#[inline(always)]
fn judge(netns: u32, returned: i32, frame: u64) {
    const EEXIST: i32 = 17;
    let told = Nested::within(&CHECKED, frame).is_some();
    if told || returned != -EEXIST || !filter::wants_netns(netns) || filter::asks_anything() {
        return;
    }
    let key = CauseKey {
        family: CauseFamily::Insert as u8,
        what: what::INSERT_BY_HAND,
        more: 0,
        netns,
        detail: EEXIST as u64,
        stack: [0; STACK_FRAMES],
    };
    tell::tell(&key, None, |record| tell::note_task(record, frame));
}
