//! Counts a cause, then emits its record: the count holds even if the record is lost.

use core::{
    mem::{MaybeUninit, offset_of},
    ops::{Deref, DerefMut},
};

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_stack, bpf_jiffies64, bpf_ktime_get_ns},
    macros::map,
    maps::{HashMap, ring_buf::RingBufEntry},
};
use rsct_common::{
    loss::Loss,
    record::{CauseCount, CauseFamily, CauseFlags, CauseKey, CauseRecord, STACK_FRAMES, TEXT_BYTES, kind},
};

use crate::{
    emit::{atomic_add, count, cpu},
    kernel::{Memory, nf_conn::NfConn, tuple},
    task, words,
};
use rsct_ebpf::maps::RECORDS;

/// User space polls on a timer.
const BPF_RB_NO_WAKEUP: u64 = 1;

/// The count of each cause.
#[map]
static CAUSES: HashMap<CauseKey, CauseCount> = HashMap::with_max_entries(4096, 0);

/// Returns the kernel stack of the hooked call, the innermost frame first.
#[inline(always)]
pub fn stack<C: EbpfContext>(ctx: &C) -> [u64; STACK_FRAMES] {
    let mut frames = MaybeUninit::<[u64; STACK_FRAMES]>::uninit();
    // SAFETY: the helper writes at most this many bytes, and all of them are zeroed first.
    unsafe {
        words::zero(frames.as_mut_ptr());
        bpf_get_stack(
            ctx.as_ptr().cast(),
            frames.as_mut_ptr().cast(),
            size_of_val(&frames) as u32,
            0,
        );
        frames.assume_init()
    }
}

/// Initialises a key without a stack in `room`. Returned by value, its zeros would be a call of `memset`.
#[inline(always)]
pub fn key(
    room: &mut MaybeUninit<CauseKey>,
    family: CauseFamily,
    what: u8,
    more: u16,
    netns: u32,
    detail: u64,
) -> &CauseKey {
    // SAFETY: a key is made of words, and all zeros are one.
    let key = unsafe {
        words::zero(room.as_mut_ptr());
        room.assume_init_mut()
    };
    key.family = family as u8;
    key.what = what;
    key.more = more;
    key.netns = netns;
    key.detail = detail;
    key
}

/// Initialises a count of one in `room`.
#[inline(always)]
fn first<'a>(room: &'a mut MaybeUninit<CauseCount>, text: Option<&[u8; TEXT_BYTES]>) -> &'a CauseCount {
    // SAFETY: a count is made of words, and all zeros are one.
    let first = unsafe {
        words::zero(room.as_mut_ptr());
        room.assume_init_mut()
    };
    first.count = 1;
    if let Some(text) = text {
        copy_text(&mut first.text, text);
    }
    first
}

/// Copies a text in words.
#[inline(always)]
fn copy_text(to: &mut [u8; TEXT_BYTES], from: &[u8; TEXT_BYTES]) {
    const {
        assert!(
            offset_of!(CauseRecord, text).is_multiple_of(8) && offset_of!(CauseCount, text).is_multiple_of(8)
        )
    };
    let from: *const [u64; TEXT_BYTES / 8] = core::ptr::from_ref(from).cast();
    // SAFETY: both have the same length; each follows words in its struct (for `Reason`, see there), so both are
    // aligned.
    unsafe { words::copy(to, from) };
}

/// Adds one to the count of `key`, and keeps `text` with it.
#[inline(always)]
pub fn counted(key: &CauseKey, text: Option<&[u8; TEXT_BYTES]>) {
    if let Some(known) = CAUSES.get_ptr_mut(key) {
        // SAFETY: valid while the program runs; other CPUs only add to it.
        atomic_add(unsafe { &raw mut (*known).count });
        return;
    }
    let mut room = MaybeUninit::uninit();
    let first = first(&mut room, text);
    if CAUSES.insert(key, first, BPF_NOEXIST as u64).is_ok() {
        return;
    }
    // Another CPU was first, or the map is full.
    match CAUSES.get_ptr_mut(key) {
        // SAFETY: as above.
        Some(known) => atomic_add(unsafe { &raw mut (*known).count }),
        None => count(Loss::CauseCount),
    }
}

/// A reserved record in the ring. A program that interrupts this one on the CPU reserves another.
pub struct Reserved(RingBufEntry<CauseRecord>);

impl Reserved {
    /// Submits it to user space.
    #[inline(always)]
    pub fn send(self) {
        self.0.submit(BPF_RB_NO_WAKEUP);
    }
}

impl Deref for Reserved {
    type Target = CauseRecord;

    #[inline(always)]
    fn deref(&self) -> &CauseRecord {
        // SAFETY: `reserve` initialised it.
        unsafe { self.0.assume_init_ref() }
    }
}

impl DerefMut for Reserved {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut CauseRecord {
        // SAFETY: as above.
        unsafe { self.0.assume_init_mut() }
    }
}

/// Counts the cause and reserves its record. If the ring is full, it counts a loss and returns none.
#[inline(always)]
pub fn reserve(key: &CauseKey, text: Option<&[u8; TEXT_BYTES]>) -> Option<Reserved> {
    counted(key, text);
    let Some(mut room) = RECORDS.reserve::<CauseRecord>(0) else {
        count(Loss::CauseRecord);
        return None;
    };
    // SAFETY: memory for a record; all zeros are valid.
    unsafe { words::zero(MaybeUninit::as_mut_ptr(&mut *room)) };
    let mut record = Reserved(room);
    record.kind = kind::CAUSE;
    record.family = key.family;
    record.what = key.what;
    record.netns = key.netns;
    record.more = key.more;
    record.detail = key.detail;
    record.stack = key.stack;
    record.cpu = cpu() as u16;
    // SAFETY: no arguments.
    record.time_ns = unsafe { bpf_ktime_get_ns() };
    if let Some(text) = text {
        copy_text(&mut record.text, text);
    }
    Some(record)
}

/// Fills in the fields read from the entry.
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

/// Returns the rest of an entry's timeout: zero or less if it has expired (`nf_ct_is_expired`).
#[inline(always)]
pub fn left_jiffies<M: Memory>(ct: NfConn<M>) -> i32 {
    // SAFETY: no arguments.
    let now = unsafe { bpf_jiffies64() } as u32;
    ct.timeout().wrapping_sub(now) as i32
}

/// Fills in the process whose stack holds `frame`, if any. Call it before the cause's numbers are set: it uses one of
/// them.
#[inline(always)]
pub fn note_task(record: &mut CauseRecord, frame: u64) {
    // Memory turns the pointer into a number.
    record.numbers[0] = frame;
    // SAFETY: a field of the record; volatile, so that the number is really read back.
    let address = unsafe { core::ptr::read_volatile(&raw const record.numbers[0]) };
    record.numbers[0] = 0;
    if let Some(task) = task::on_whose_stack(address) {
        record.flags |= CauseFlags::TASK;
        record.pid = task.tgid;
        record.comm = task.comm_bytes();
    }
}
