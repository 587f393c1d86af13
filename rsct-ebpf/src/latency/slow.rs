//! Emits calls that took too long, with their kernel stack.

use core::ptr::read_volatile;

use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_stack};
use rsct_common::{
    TupleWords,
    latency::Function,
    loss::Loss,
    record::{STACK_DEPTH, SlowFlags, SlowRecord, kind},
};
use rsct_ebpf::{
    emit::{cpu, emit_in_place},
    kernel::args::Frame,
    task, words,
};

use crate::globals::LATENCY_SLOWER_THAN_NS;

/// A slow call.
pub struct Slow {
    pub function: Function,
    pub outcome: u8,
    pub started_ns: u64,
    pub took_ns: u64,
    /// The original direction; zeros if there is no flow.
    pub tuple: TupleWords,
    pub netns: u32,
    /// The netfilter hook and the interface.
    pub hook: Option<(u8, u32)>,
}

impl Slow {
    /// A call that belongs to no flow.
    #[inline(always)]
    pub fn without_flow(function: Function, started_ns: u64, took_ns: u64) -> Self {
        Self {
            function,
            outcome: 0,
            started_ns,
            took_ns,
            tuple: [0; 5],
            netns: 0,
            hook: None,
        }
    }
}

/// True if a duration is long enough for a record.
#[inline(always)]
pub fn is_slow(took_ns: u64) -> bool {
    let slower_than = LATENCY_SLOWER_THAN_NS.load();
    slower_than != 0 && took_ns >= slower_than
}

/// Emits a slow call. `number` is memory through which an address becomes a number.
#[inline(always)]
pub fn send<C: EbpfContext + Frame>(ctx: &C, number: &mut u64, slow: Slow) {
    // SAFETY: the slot's own field; volatile, so that the pointer is really read back as a number.
    let address = unsafe {
        (&raw mut *number).write_volatile(ctx.frame());
        read_volatile(&raw const *number)
    };
    let (hook, ifindex) = slow.hook.unwrap_or_default();
    let flags = if slow.hook.is_some() { SlowFlags::HOOK } else { 0 };
    // The record is larger than a program's stack may be.
    emit_in_place::<SlowRecord>(Loss::SlowRecord, |record| {
        // SAFETY: memory for a record; every field is written. The helper writes no more than the given size.
        unsafe {
            (&raw mut (*record).kind).write(kind::SLOW);
            (&raw mut (*record).function).write(slow.function as u8);
            (&raw mut (*record).outcome).write(slow.outcome);
            (&raw mut (*record).hook).write(hook);
            (&raw mut (*record).cpu).write(cpu() as u16);
            (&raw mut (*record).time_ns).write(slow.started_ns);
            (&raw mut (*record).duration_ns).write(slow.took_ns);
            (&raw mut (*record).netns).write(slow.netns);
            (&raw mut (*record).ifindex).write(ifindex);
            // Written at once: older verifiers lose track of values that one branch keeps for later and the other
            // does not.
            if let Some(task) = task::on_whose_stack(address) {
                (&raw mut (*record).flags).write(flags | SlowFlags::TASK);
                (&raw mut (*record).pid).write(task.tgid);
                words::copy(&raw mut (*record).comm, &raw const task.comm);
            } else {
                (&raw mut (*record).flags).write(flags);
                (&raw mut (*record).pid).write(0);
                words::zero(&raw mut (*record).comm);
            }
            words::copy(&raw mut (*record).tuple, &raw const slow.tuple);
            let stack = &raw mut (*record).stack;
            let bytes = bpf_get_stack(ctx.as_ptr(), stack.cast(), (STACK_DEPTH * 8) as u32, 0);
            (&raw mut (*record).stack_bytes).write(bytes as i32);
        }
    });
}
