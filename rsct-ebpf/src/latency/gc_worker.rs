//! Garbage collection: the duration of a run, the buckets that it scans, the entries that it deletes, and how late it
//! deletes them.
//!
//! net/netfilter/nf_conntrack_core.c: `static void gc_worker(struct work_struct *work)`, which deletes entries with
//! `bool nf_ct_delete(struct nf_conn *ct, u32 portid, int report)`
//!
//! The kernel has one gc_worker, which never runs twice at once, so one global struct stores the run. It may sleep
//! and continue on another CPU, so it would not find a per-CPU slot again.
//!
//! The stack shows whether a run deletes an entry: the call lies below gc_worker's frame, and neither a softirq (on a
//! separate stack) nor another task shares that stack.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::{
    EbpfContext,
    helpers::bpf_jiffies64,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{
    field::ABSENT,
    latency::{Count, Function, gc},
};
use rsct_ebpf::{
    globals::arg,
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        at,
        nf_conn::NfConn,
    },
};

use crate::{
    flow,
    globals::{ARG_GC_WORK, GC_WORK_FIRST, GC_WORK_NEXT_BUCKET, LATENCY_TABLE_BUCKETS},
    slow::{self, Slow},
    tally::{self, NoKey, add_to_row},
    timing::{self, now_ns},
};

/// The maximum distance of nf_ct_delete below gc_worker on the stack.
const NESTED_BYTES: u64 = 4096;

/// The run in progress.
struct Run {
    /// The stack position at which gc_worker was entered (`kernel::args::Frame`), or zero.
    frame: u64,
    started_ns: u64,
    /// The `struct work_struct` of the worker.
    work: u64,
    first_bucket: u32,
    reaped: u32,
    /// For the kretprobe of nf_ct_delete: the lateness of its entry, and whether the filter matches it.
    lateness: i32,
    wanted: u32,
    /// A number read back from a pointer, with which the verifier allows no arithmetic.
    number: u64,
}

static mut RUN: Run = Run {
    frame: 0,
    started_ns: 0,
    work: 0,
    first_bucket: 0,
    reaped: 0,
    lateness: 0,
    wanted: 0,
    number: 0,
};

/// Returns the global struct.
#[inline(always)]
fn run() -> &'static mut Run {
    let run = &raw mut RUN;
    // SAFETY: only the programs of gc_worker and of the functions that it calls write it, one after the other.
    unsafe { &mut *run }
}

#[fentry(function = "gc_worker")]
pub fn gc_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[fexit(function = "gc_worker")]
pub fn gc_fexit(ctx: FExitContext) -> u32 {
    leave(&ctx);
    0
}

#[kprobe]
pub fn gc_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[kretprobe]
pub fn gc_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(&ctx);
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) {
    let run = run();
    run.work = ctx.pointer(&ARG_GC_WORK) as u64;
    run.reaped = 0;
    run.first_bucket = next_bucket(run);
    run.started_ns = now_ns();
    // SAFETY: a field of the run; last, because it marks the rest as valid.
    unsafe { write_volatile(&raw mut run.frame, ctx.frame()) };
}

#[inline(always)]
fn leave<C: EbpfContext + Frame>(ctx: &C) {
    let run = run();
    if run.frame == 0 {
        // It was entered before the programs were attached.
        return;
    }
    run.frame = 0;
    let took_ns = now_ns() - run.started_ns;
    tally::add(Function::Gc, &NoKey, took_ns);
    if let Some(buckets) = buckets(run) {
        add_to_row(gc::BUCKETS, buckets as u64);
    }
    add_to_row(gc::REAPED, run.reaped as u64);
    if slow::is_slow(took_ns) {
        let slow = Slow::without_flow(Function::Gc, run.started_ns, took_ns);
        slow::send(ctx, &mut run.number, slow);
    }
}

/// Returns the bucket with which the next run begins: `gc_work->next_bucket`, zero after the last.
#[inline(always)]
fn next_bucket(run: &Run) -> u32 {
    if GC_WORK_NEXT_BUCKET.load() == ABSENT || GC_WORK_FIRST.load() == ABSENT {
        return 0;
    }
    let whole = at(run.work as *const u8, GC_WORK_FIRST.load().wrapping_neg());
    Untyped::read(at(whole, GC_WORK_NEXT_BUCKET.load()))
}

/// Returns the number of buckets that the run has scanned completely.
#[inline(always)]
fn buckets(run: &Run) -> Option<u32> {
    if GC_WORK_NEXT_BUCKET.load() == ABSENT {
        return None;
    }
    let end = match (next_bucket(run), LATENCY_TABLE_BUCKETS.load()) {
        (0, 0) => return None,
        (0, all) => all,
        (next, _) => next,
    };
    end.checked_sub(run.first_bucket)
}

#[fexit(function = "nf_ct_delete")]
pub fn delete_fexit(ctx: FExitContext) -> u32 {
    // Garbage collection holds a reference, so the entry is still the same.
    let ct = NfConn::<Typed>::new(ctx.pointer(&arg::DELETE_CT));
    if is_in_run(&ctx) && ctx.number(&arg::DELETE_RETURN) as u8 != 0 && flow::is_wanted(ct) {
        reaped(lateness(ct));
    }
    0
}

#[kprobe]
pub fn delete_kprobe(ctx: ProbeContext) -> u32 {
    let ct = NfConn::<Untyped>::new(ctx.pointer(&arg::DELETE_CT));
    if is_in_run(&ctx) {
        let run = run();
        run.lateness = lateness(ct);
        run.wanted = flow::is_wanted(ct) as u32;
    }
    0
}

#[kretprobe]
pub fn delete_kretprobe(ctx: RetProbeContext) -> u32 {
    if is_in_run(&ctx) && ctx.ret::<u8>() != 0 && run().wanted != 0 {
        reaped(run().lateness);
    }
    0
}

/// Returns how many jiffies ago the entry expired.
#[inline(always)]
fn lateness<M: Memory>(ct: NfConn<M>) -> i32 {
    // SAFETY: no arguments.
    let now = unsafe { bpf_jiffies64() } as u32;
    now.wrapping_sub(ct.timeout()) as i32
}

/// True if the run called the function at this frame.
#[inline(always)]
fn is_in_run<C: Frame>(ctx: &C) -> bool {
    // SAFETY: a field of the run, which may change at any time.
    let frame = unsafe { read_volatile(&raw const run().frame) };
    if frame == 0 {
        return false;
    }
    timing::number(Function::Gc, ctx.frame()).is_some_and(|number| frame.wrapping_sub(number) < NESTED_BYTES)
}

#[inline(always)]
fn reaped(late_jiffies: i32) {
    run().reaped += 1;
    if late_jiffies >= 0 {
        add_to_row(gc::LATE, late_jiffies as u64);
    } else if let Some(state) = timing::state(Function::Gc) {
        state.count(Count::EvictedByGc);
    }
}
