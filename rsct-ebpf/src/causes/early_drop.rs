//! The table is full: the kernel evicts an entry for a new one, or finds none to evict.
//!
//! net/netfilter/nf_conntrack_core.c: `static noinline int early_drop(struct net *net, unsigned int hash)`

use aya_ebpf::{
    macros::{fexit, kretprobe, map},
    programs::{FExitContext, RetProbeContext},
};

use crate::{
    globals::arg,
    kernel::args::{Arguments, Frame},
    nested::{self, Notes},
};

/// True if it evicted an entry, for the program that sees the result of the allocation that called it.
#[map]
pub static EARLY_DROP: Notes<u64> = nested::notes();

#[fexit(function = "early_drop")]
pub fn early_drop_fexit(ctx: FExitContext) -> u32 {
    note(ctx.frame(), ctx.number(&arg::EARLY_DROP_RETURN));
    0
}

#[kretprobe]
pub fn early_drop_kretprobe(ctx: RetProbeContext) -> u32 {
    note(ctx.frame(), ctx.ret::<u64>());
    0
}

/// The function returns a bool: the rest of the register is undefined.
#[inline(always)]
fn note(frame: u64, returned: u64) {
    nested::note(&EARLY_DROP, frame, returned & 0xff);
}
