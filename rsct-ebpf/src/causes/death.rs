//! The kernel frees a packet: the place, and the kernel's drop reason.
//!
//! include/trace/events/skb.h: the tracepoint `kfree_skb`, whose first three arguments are `struct sk_buff *skb, void
//! *location, enum skb_drop_reason reason` from Linux 5.17 on.

use aya_ebpf::{
    macros::{map, raw_tracepoint},
    maps::PerCpuArray,
    programs::RawTracePointContext,
};
use rsct_common::record::STACK_FRAMES;

use crate::{
    globals::{NET_DEVICE_IFINDEX, SK_BUFF_DEV},
    kernel::{
        Untyped, field,
        nf_conn::{IPS_CONFIRMED, IPS_TEMPLATE, NfConn},
        packet,
        sk_buff::SkBuff,
    },
    report,
};

/// The last freed packet on this CPU whose entry was not in the table. The kernel destroys the entry right after it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Death {
    /// The entry's address.
    ct: u64,
    pub location: u64,
    pub reason: u32,
    pub ifindex: u32,
    /// The TCP flags, with [`Death::IS_TCP`] if there are any.
    pub tcp: u64,
    pub stack: [u64; STACK_FRAMES],
}

impl Death {
    pub const IS_TCP: u64 = 1 << 8;
}

#[map]
static DEATHS: PerCpuArray<Death> = PerCpuArray::with_max_entries(1, 0);

#[raw_tracepoint(tracepoint = "kfree_skb")]
pub fn kfree_skb_tracepoint(ctx: RawTracePointContext) -> u32 {
    let skb = SkBuff::<Untyped>::new(ctx.arg::<*const u8>(0));
    let ct = NfConn::<Untyped>::new(skb.nfct().ct());
    if ct.address() == 0 || ct.status() & (IPS_CONFIRMED | IPS_TEMPLATE) != 0 {
        return 0;
    }
    let Some(death) = DEATHS.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: data of this CPU.
    let death = unsafe { &mut *death };
    death.location = ctx.arg(1);
    death.reason = ctx.arg(2);
    let device: u64 = field::<Untyped, _>(skb.pointer(), &SK_BUFF_DEV);
    death.ifindex = field::<Untyped, _>(device as *const u8, &NET_DEVICE_IFINDEX);
    death.tcp = packet::segment(skb).map_or(0, |segment| segment.tcp.flags as u64 | Death::IS_TCP);
    death.stack = report::stack(&ctx);
    death.ct = ct.address();
    0
}

/// Returns the death of the packet that had the entry at `ct`, if it was just freed.
#[inline(always)]
pub fn of(ct: u64) -> Option<&'static Death> {
    let death = DEATHS.get_ptr_mut(0)?;
    // SAFETY: data of this CPU.
    let death = unsafe { &mut *death };
    if death.ct != ct {
        return None;
    }
    // The address may belong to another entry next time.
    death.ct = 0;
    Some(death)
}
