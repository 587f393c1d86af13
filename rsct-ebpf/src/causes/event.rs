//! Conntrack sends an event, and a listener does not receive it.
//!
//! net/netfilter/nf_conntrack_netlink.c:
//! `static int ctnetlink_conntrack_event(unsigned int events, const struct nf_ct_event *item)`

use core::mem::MaybeUninit;

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{
    loss::Loss,
    record::{CauseFamily, lost},
};

use crate::{
    filter,
    globals::{CT_EVENT_CT, arg},
    kernel::{
        Untyped,
        args::{Arguments, Frame},
        field,
        nf_conn::NfConn,
    },
    report,
    scratch::Slots,
};

/// An event that is being sent.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    ct: u64,
    /// A kind of [`lost`].
    kind: u32,
    netns: u32,
    wanted: u64,
}

#[map]
static EVENTS: PerCpuArray<Slots<Event>> = PerCpuArray::with_max_entries(1, 0);

#[fentry(function = "ctnetlink_conntrack_event")]
pub fn event_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn event_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[fexit(function = "ctnetlink_conntrack_event")]
pub fn event_fexit(ctx: FExitContext) -> u32 {
    leave(&ctx);
    0
}

#[kretprobe]
pub fn event_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(&ctx);
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) {
    let Some(slots) = EVENTS.get_ptr_mut(0) else {
        return;
    };
    let item = ctx.pointer(&arg::EVENT_ITEM);
    let ct = NfConn::<Untyped>::new(field::<Untyped, u64>(item, &CT_EVENT_CT) as *const u8);
    // SAFETY: this CPU's slots; `scratch` explains who else can access them.
    let Some(claim) = unsafe { &mut *slots }.claim(ct.address(), ctx.frame(), Loss::OperationForgotten)
    else {
        return;
    };
    let event = &mut claim.slot.record;
    event.ct = ct.address();
    event.kind = lost::kind(ctx.number(&arg::EVENT_EVENTS) as u32) as u32;
    event.netns = ct.netns();
    event.wanted = (filter::wants_netns(event.netns) && filter::wants(&ct.tuple(0), Some(ct))) as u64;
}

#[inline(always)]
fn leave<C: Frame>(ctx: &C) {
    if let Some(slots) = EVENTS.get_ptr_mut(0)
        // SAFETY: as above.
        && let Some(claim) = unsafe { &mut *slots }.claimed_at(ctx.frame())
    {
        claim.free();
    }
}

/// Emits that the current event did not reach the listener at this port, or, without a port, any listener.
#[inline(always)]
pub fn lost(frame: u64, code: u8, portid: u32) {
    let Some(slots) = EVENTS.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: as above.
    let Some(slot) = unsafe { &mut *slots }.within(frame) else {
        return;
    };
    let event = &slot.record;
    if event.wanted == 0 {
        return;
    }
    let ct = NfConn::<Untyped>::new(event.ct as *const u8);
    let mut room = MaybeUninit::uninit();
    let key = report::key(
        &mut room,
        CauseFamily::Lost,
        code,
        event.kind as u16,
        event.netns,
        portid as u64,
    );
    if let Some(mut record) = report::reserve(key, None) {
        report::note_task(&mut record, frame);
        report::describe(&mut record, ct);
        record.portid = portid;
        record.send();
    }
}
