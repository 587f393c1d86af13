//! A cause is counted first, so that the count holds whatever becomes of its record.

use core::mem::MaybeUninit;

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_stack, bpf_jiffies64, bpf_ktime_get_ns},
    macros::map,
    maps::HashMap,
};
use rsct_common::{
    loss::Loss,
    record::{CauseCount, CauseFlags, CauseKey, CauseRecord, STACK_FRAMES, TEXT_BYTES, kind},
};

use crate::{
    emit::{atomic_add, count, cpu},
    kernel::{Memory, nf_conn::NfConn, tuple},
    task,
};
use rsct_ebpf::maps::RECORDS;

/// User space looks on a timer.
const BPF_RB_NO_WAKEUP: u64 = 1;

/// How often each cause was met.
#[map]
static CAUSES: HashMap<CauseKey, CauseCount> = HashMap::with_max_entries(4096, 0);

/// Where in the kernel the program was called, the innermost frame first.
#[inline(always)]
pub fn stack<C: EbpfContext>(ctx: &C) -> [u64; STACK_FRAMES] {
    let mut frames = [0u64; STACK_FRAMES];
    // SAFETY: as many bytes as it has.
    unsafe {
        bpf_get_stack(
            ctx.as_ptr().cast(),
            (&raw mut frames).cast(),
            size_of_val(&frames) as u32,
            0,
        )
    };
    frames
}

/// Counts what `key` names; `text` is kept with it.
#[inline(always)]
pub fn counted(key: &CauseKey, text: Option<&[u8; TEXT_BYTES]>) {
    if let Some(known) = CAUSES.get_ptr_mut(key) {
        // SAFETY: alive while the program runs; other CPUs only add to it.
        atomic_add(unsafe { &raw mut (*known).count });
        return;
    }
    let first = CauseCount {
        count: 1,
        text: text.copied().unwrap_or([0; TEXT_BYTES]),
    };
    if CAUSES.insert(key, &first, BPF_NOEXIST as u64).is_ok() {
        return;
    }
    // Another CPU was first, or there is no room.
    match CAUSES.get_ptr_mut(key) {
        // SAFETY: as above.
        Some(known) => atomic_add(unsafe { &raw mut (*known).count }),
        None => count(Loss::CauseCount),
    }
}

/// Counts what `key` names, and sends off a record that `fill` completes. It is made in the ring itself: another
/// program that comes in between on this CPU has one of its own.
#[inline(always)]
pub fn tell(key: &CauseKey, text: Option<&[u8; TEXT_BYTES]>, fill: impl FnOnce(&mut CauseRecord)) {
    counted(key, text);
    let Some(mut room) = RECORDS.reserve::<CauseRecord>(0) else {
        count(Loss::CauseRecord);
        return;
    };
    let words: *mut u64 = MaybeUninit::as_mut_ptr(&mut *room).cast();
    let mut word = 0;
    while word < size_of::<CauseRecord>() / 8 {
        // SAFETY: the record has this many words; volatile keeps them words.
        unsafe { words.add(word).write_volatile(0) };
        word += 1;
    }
    // SAFETY: all zeros are a record.
    let record = unsafe { &mut *MaybeUninit::as_mut_ptr(&mut *room) };
    record.kind = kind::CAUSE;
    record.family = key.family;
    record.what = key.what;
    record.netns = key.netns;
    record.more = key.more;
    record.detail = key.detail;
    record.stack = key.stack;
    record.cpu = cpu();
    // SAFETY: no arguments.
    record.time_ns = unsafe { bpf_ktime_get_ns() };
    if let Some(text) = text {
        record.text = *text;
    }
    fill(record);
    room.submit(BPF_RB_NO_WAKEUP);
}

/// Fills in what an entry says of itself.
#[inline(always)]
pub fn describe<M: Memory>(record: &mut CauseRecord, ct: NfConn<M>) {
    record.flags |= CauseFlags::ENTRY;
    record.ct = ct.address();
    record.tuple = ct.tuple(0);
    record.other = ct.tuple(1);
    record.status = ct.status();
    record.zone = ct.zone();
    record.state = ct.proto_state(tuple::protonum(&record.tuple));
    record.left_jiffies = left_jiffies(ct);
}

/// What is left of an entry's timeout: zero or less where it has run out (`nf_ct_is_expired`).
#[inline(always)]
pub fn left_jiffies<M: Memory>(ct: NfConn<M>) -> i32 {
    // SAFETY: no arguments.
    let now = unsafe { bpf_jiffies64() } as u32;
    ct.timeout().wrapping_sub(now) as i32
}

/// Fills in the process on whose stack `frame` lies, if it is one's: before the cause's numbers, of which it uses one.
#[inline(always)]
pub fn note_task(record: &mut CauseRecord, frame: u64) {
    // A pointer becomes a number on its way through memory.
    record.numbers[0] = frame;
    // SAFETY: its own field; volatile, so that the number is really read back.
    let address = unsafe { core::ptr::read_volatile(&raw const record.numbers[0]) };
    record.numbers[0] = 0;
    if let Some(task) = task::on_whose_stack(address) {
        record.flags |= CauseFlags::TASK;
        record.pid = task.tgid;
        record.comm = task.comm_bytes();
    }
}
