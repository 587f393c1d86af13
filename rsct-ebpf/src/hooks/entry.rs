//! The common part of all records of entries.

use aya_ebpf::{
    helpers::{bpf_jiffies64, bpf_ktime_get_ns},
    macros::map,
    maps::PerCpuArray,
};
use rsct_common::{
    loss::Loss,
    record::{EntryFlags, EntryKind, EntryRecord, kind},
};

use crate::{
    births,
    emit::{cpu, emit},
    filter,
    kernel::{
        Memory,
        nf_conn::{IPS_TEMPLATE, NfConn},
        tuple,
    },
    scratch::{Claim, Slot, Slots},
    task, words,
};

/// The set of slots that an operation uses: one for each function, because operations can nest.
#[derive(Clone, Copy)]
pub enum Operation {
    Confirm = 0,
    Delete = 1,
    CheckInsert = 2,
    Alloc = 3,
    Insert = 4,
    Destroy = 5,
    Refresh = 6,
    ChangeTimeout = 7,
}

/// The number of these sets.
const OPERATIONS_COUNT: u32 = 8;

/// Operations on entries in progress; one set of slots for each function.
#[map]
static OPERATIONS: PerCpuArray<Slots<EntryRecord>> = PerCpuArray::with_max_entries(OPERATIONS_COUNT, 0);

/// Returns this CPU's slots for `operation`.
#[inline(always)]
fn slots(operation: Operation) -> Option<&'static mut Slots<EntryRecord>> {
    // SAFETY: this CPU's slots; `scratch` explains who else can access them.
    OPERATIONS
        .get_ptr_mut(operation as u32)
        .map(|slots| unsafe { &mut *slots })
}

/// Claims a slot for `owner` in the function entered at `frame`.
#[inline(always)]
pub fn begin(operation: Operation, owner: u64, frame: u64) -> Option<Claim<'static, EntryRecord>> {
    slots(operation)?.claim(owner, frame, Loss::OperationForgotten)
}

/// Finds the slot claimed when the function at `frame` was entered.
#[inline(always)]
pub fn begun(operation: Operation, frame: u64) -> Option<Claim<'static, EntryRecord>> {
    slots(operation)?.claimed_at(frame).map(Claim::begin_exit)
}

/// The same if the owner is known.
#[inline(always)]
pub fn begun_by(operation: Operation, owner: u64, frame: u64) -> Option<Claim<'static, EntryRecord>> {
    slots(operation)?.claimed_by(owner, frame).map(Claim::begin_exit)
}

/// Fills in the fields read from the entry. Returns true if the filter matches.
#[inline(always)]
pub fn describe<M: Memory>(slot: &mut Slot<EntryRecord>, what: EntryKind, ct: NfConn<M>) -> bool {
    let record = &mut slot.record;
    record.flags = EntryFlags::REJECTED;
    record.status_before = ct.status();
    if record.status_before & IPS_TEMPLATE != 0 {
        return false;
    }
    record.netns = ct.netns();
    if !filter::wants_netns(record.netns) {
        return false;
    }
    record.orig = ct.tuple(0);
    if !filter::wants(&record.orig, Some(ct)) {
        return false;
    }
    record.reply = ct.tuple(1);
    record.flags = 0;
    record.kind = kind::ENTRY;
    record.what = what as u8;
    record.cpu = cpu() as u16;
    record.zone = ct.zone();
    record.mark = ct.mark();
    record.timeout_before_jiffies = ct.timeout();
    const { assert!(core::mem::offset_of!(EntryRecord, state_before).is_multiple_of(8)) };
    // SAFETY: this word holds `state_before`, `state_after` and `reserved`.
    unsafe { words::zero((&raw mut record.state_before).cast::<u64>()) };
    record.state_before = ct.proto_state(tuple::protonum(&record.orig));
    record.ct = ct.address();
    record.ret = 0;
    record.duration_ns = 0;
    record.status_after = 0;
    record.timeout_after_jiffies = 0;
    record.refresh_jiffies = 0;
    record.portid = 0;
    record.pid = 0;
    // SAFETY: no arguments.
    record.time_ns = unsafe { bpf_ktime_get_ns() };
    slot.claimed_ns = record.time_ns;
    let (birth, first_sight) = births::of(record.ct, record.time_ns);
    record.birth_ns = birth;
    if first_sight {
        record.flags |= EntryFlags::FIRST_SIGHT;
    }
    true
}

/// Fills in the process whose stack holds `context`, if any.
#[inline(always)]
pub fn note_task(slot: &mut Slot<EntryRecord>, context: u64) {
    slot.number = context;
    // SAFETY: a field of the slot; volatile, so that the pointer is really read back as a number.
    let address = unsafe { core::ptr::read_volatile(&raw const slot.number) };
    if let Some(task) = task::on_whose_stack(address) {
        slot.record.flags |= EntryFlags::TASK;
        slot.record.pid = task.tgid;
        slot.record.comm = task.comm_bytes();
    }
}

/// Fills in the function's result and duration.
#[inline(always)]
pub fn returned(record: &mut EntryRecord, ret: i32) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    record.ret = ret;
    record.duration_ns = (now - record.time_ns) as u32;
    record.flags |= EntryFlags::RETURNED | EntryFlags::DURATION;
}

/// Fills in the current state of the entry.
#[inline(always)]
pub fn after<M: Memory>(record: &mut EntryRecord, ct: NfConn<M>) {
    record.status_after = ct.status();
    record.timeout_after_jiffies = ct.timeout();
    record.state_after = ct.proto_state(tuple::protonum(&record.orig));
}

/// Emits the record, then frees the slot: a softirq in between must not get it.
#[inline(always)]
pub fn finish(claim: Claim<'_, EntryRecord>) {
    let record = &mut claim.slot.record;
    if record.flags & EntryFlags::REJECTED == 0 {
        // SAFETY: no arguments.
        record.now_jiffies = unsafe { bpf_jiffies64() } as u32;
        emit(record, Loss::EntryRecord);
    }
    claim.free();
}
