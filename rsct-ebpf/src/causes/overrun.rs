//! A listener's buffer is full, or the kernel could not allocate a netlink message.
//!
//! net/netlink/af_netlink.c: `static void netlink_overrun(struct sock *sk)`, which counts the drops of
//! /proc/net/netlink, and `int netlink_set_err(struct sock *ssk, u32 portid, u32 group, int code)`, called if there
//! is no memory for a message.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::record::what;

use crate::{
    event,
    globals::{NETLINK_SOCK_FLAGS, NETLINK_SOCK_PORTID, arg},
    kernel::{
        Untyped,
        args::{Arguments, Frame},
        field,
    },
    words,
};

/// The bit in `nlk_sk(sk)->flags` (NETLINK_F_BROADCAST_SEND_ERROR, net/netlink/af_netlink.h) of a listener whose
/// events the kernel defers if its buffer is full (NETLINK_BROADCAST_ERROR).
const BROADCAST_SEND_ERROR: u64 = 2;

#[fentry(function = "netlink_overrun")]
pub fn overrun_fentry(ctx: FEntryContext) -> u32 {
    overrun(&ctx);
    0
}

#[kprobe]
pub fn overrun_kprobe(ctx: ProbeContext) -> u32 {
    overrun(&ctx);
    0
}

#[inline(always)]
fn overrun<C: Arguments + Frame>(ctx: &C) {
    // `struct netlink_sock` begins with its `struct sock`.
    let sock = ctx.pointer(&arg::OVERRUN_SK);
    let portid: u32 = field::<Untyped, _>(sock, &NETLINK_SOCK_PORTID);
    let flags: u64 = field::<Untyped, _>(sock, &NETLINK_SOCK_FLAGS);
    // No branch: the verifier would walk the rest once for each code.
    let kept = words::opaque(flags >> BROADCAST_SEND_ERROR & 1);
    let code = what::LOST_OVERRUN as u64 + kept * (what::LOST_DEFERRED - what::LOST_OVERRUN) as u64;
    event::lost(ctx.frame(), code as u8, portid);
}

#[fentry(function = "netlink_set_err")]
pub fn set_err_fentry(ctx: FEntryContext) -> u32 {
    event::lost(ctx.frame(), what::LOST_NO_MESSAGE, 0);
    0
}

#[kprobe]
pub fn set_err_kprobe(ctx: ProbeContext) -> u32 {
    event::lost(ctx.frame(), what::LOST_NO_MESSAGE, 0);
    0
}
