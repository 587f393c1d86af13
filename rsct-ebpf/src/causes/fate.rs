//! Conntrack itself drops a packet, and the packet's entry is then destroyed.
//!
//! net/netfilter/nf_conntrack_core.c: `static int nf_ct_resolve_clash(struct sk_buff *skb,
//! struct nf_conntrack_tuple_hash *h, u32 reply_hash)`, `int __nf_conntrack_confirm(struct sk_buff *skb)`

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::{fexit, kprobe, kretprobe, map},
    maps::{HashMap, PerCpuArray},
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{loss::Loss, record::what};

use crate::{
    emit::count,
    globals::arg,
    kept::{self, Kept},
    kernel::{
        NF_DROP, Untyped,
        args::{Arguments, Frame},
        sk_buff::SkBuff,
    },
};

/// The cause for each entry that is not destroyed yet, by the entry's address.
#[map]
static FATES: HashMap<u64, u64> = HashMap::with_max_entries(1024, 0);

/// Arguments, by packet.
#[map]
static CLASHING: PerCpuArray<Kept> = PerCpuArray::with_max_entries(1, 0);
#[map]
static BEING_CONFIRMED: PerCpuArray<Kept> = PerCpuArray::with_max_entries(1, 0);

macro_rules! verdict {
    ($function:literal $fexit:ident $kprobe:ident $kretprobe:ident $skb:ident $return:ident $slots:ident $what:ident) => {
        #[fexit(function = $function)]
        pub fn $fexit(ctx: FExitContext) -> u32 {
            let skb = SkBuff::<Untyped>::new(ctx.pointer(&arg::$skb));
            judge(skb, ctx.number(&arg::$return) as u32, what::$what);
            0
        }

        #[kprobe]
        pub fn $kprobe(ctx: ProbeContext) -> u32 {
            kept::keep(&$slots, ctx.frame(), ctx.pointer(&arg::$skb) as u64, 0);
            0
        }

        #[kretprobe]
        pub fn $kretprobe(ctx: RetProbeContext) -> u32 {
            kept::kept(&$slots, ctx.frame(), |skb, _| {
                judge(
                    SkBuff::<Untyped>::new(skb as *const u8),
                    ctx.ret::<u32>(),
                    what::$what,
                );
            });
            0
        }
    };
}

verdict!("nf_ct_resolve_clash" drop_clash_fexit drop_clash_kprobe drop_clash_kretprobe
    CLASH_SKB CLASH_RETURN CLASHING DROP_CLASH);
verdict!("__nf_conntrack_confirm" drop_confirm_fexit drop_confirm_kprobe drop_confirm_kretprobe
    CONFIRM_SKB CONFIRM_RETURN BEING_CONFIRMED DROP_NOT_INSERTED);

/// A clash is decided before the confirm returns, so its cause stays.
#[inline(always)]
fn judge(skb: SkBuff<Untyped>, verdict: u32, what: u8) {
    let ct = skb.nfct().ct() as u64;
    if verdict != NF_DROP || ct == 0 || FATES.get_ptr(&ct).is_some() {
        return;
    }
    if FATES.insert(&ct, &(what as u64), BPF_NOEXIST as u64).is_err() {
        count(Loss::ReasonForgotten);
    }
}

/// Returns the cause for the entry at `ct`, which is being destroyed: zero if none is known.
#[inline(always)]
pub fn take(ct: u64) -> u64 {
    let fate = match FATES.get_ptr(&ct) {
        // SAFETY: only the destruction of the entry removes it, and that is now.
        Some(fate) => unsafe { *fate },
        None => return 0,
    };
    let _ = FATES.remove(&ct);
    fate
}
