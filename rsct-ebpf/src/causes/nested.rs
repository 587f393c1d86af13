//! What an earlier program has noted, for the program at the exit of the same function or of its caller.
//!
//! By task, not by CPU: the scheduler may move a process to another CPU in between. A softirq has the task that it
//! interrupts, but another stack, so a note has the position on the stack as well. If a softirq notes something between a
//! note of the interrupted process and its use, the process's note is lost.

use core::ptr;

use aya_ebpf::{bindings::BPF_ANY, helpers::bpf_get_current_pid_tgid, maps::HashMap};
use rsct_common::loss::Loss;

use crate::{
    emit::{count, cpu},
    scratch::NESTED_BYTES,
};

/// The last note of each task.
pub type Notes<T> = HashMap<u64, Note<T>>;

/// An empty map. More tasks than these are seldom within one function at once.
pub const fn notes<T>() -> Notes<T> {
    HashMap::with_max_entries(1024, 0)
}

/// A note and its function.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Note<T> {
    /// The position on the stack at which the function was entered.
    frame: u64,
    /// A number read back from a pointer, with which the verifier allows no arithmetic.
    pub number: u64,
    pub noted: T,
}

/// Returns the thread; for the idle threads, which all have the number 0, the CPU.
#[inline(always)]
fn task() -> u64 {
    match bpf_get_current_pid_tgid() & u64::from(u32::MAX) {
        0 => 1 << 32 | cpu(),
        thread => thread,
    }
}

/// Notes something of the function entered at the stack position `frame`.
#[inline(always)]
pub fn note<T>(notes: &Notes<T>, frame: u64, noted: T) {
    let note = Note {
        frame,
        number: 0,
        noted,
    };
    if notes.insert(&task(), &note, BPF_ANY as u64).is_err() {
        count(Loss::OperationForgotten);
    }
}

/// The same for a note that is too large to be passed: `fill` completes it in place.
#[inline(always)]
pub fn note_in_place<T>(notes: &Notes<T>, frame: u64, empty: T, fill: impl FnOnce(&mut Note<T>)) {
    note(notes, frame, empty);
    if let Some(note) = notes.get_ptr_mut(&task()) {
        // SAFETY: the note of this task, which runs no other program of these at the same time.
        fill(unsafe { &mut *note });
    }
}

/// Passes `then` the note of a function called by the one at the stack position `frame`, and removes it: none if that
/// made no such call.
#[inline(always)]
pub fn take_called<T, R>(notes: &Notes<T>, frame: u64, then: impl FnOnce(&T) -> R) -> Option<R> {
    take(notes, frame, |above| above < NESTED_BYTES, then)
}

/// The same for a note of the function at the stack position `frame` itself.
#[inline(always)]
pub fn take_own<T, R>(notes: &Notes<T>, frame: u64, then: impl FnOnce(&T) -> R) -> Option<R> {
    take(notes, frame, |above| above == 0, then)
}

#[inline(always)]
fn take<T, R>(
    notes: &Notes<T>,
    frame: u64,
    is_it: impl FnOnce(u64) -> bool,
    then: impl FnOnce(&T) -> R,
) -> Option<R> {
    let key = task();
    let note = notes.get_ptr_mut(&key)?;
    // SAFETY: the note of this task, which runs no other program of these at the same time.
    let above = unsafe {
        ptr::write_volatile(&raw mut (*note).number, frame);
        ptr::read_volatile(&raw const (*note).number)
            .wrapping_sub(ptr::read_volatile(&raw const (*note).frame))
    };
    if !is_it(above) {
        return None;
    }
    // SAFETY: as above.
    let result = then(unsafe { &(*note).noted });
    let _ = notes.remove(&key);
    Some(result)
}
