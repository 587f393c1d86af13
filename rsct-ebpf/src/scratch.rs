//! What a program remembers from entering a function to leaving it.
//!
//! One CPU can have several packets under way at once: a softirq interrupts a process inside
//! `nf_conntrack_in`, or the scheduler does, and the CPU runs `nf_conntrack_in` again. So what is
//! remembered hangs neither on the CPU nor on the task alone: each CPU has a few slots, and a slot
//! belongs to the packet (or the entry) whose address it carries. An exit that finds no slot of its
//! own says that it knows nothing; it never takes another's.
//!
//! A program does not interrupt itself on one CPU (the kernel's own guard, whose refusals user
//! space reads as `recursion_misses`), so claiming a slot needs no atomics.

use rsct_common::record::{PacketFlags, PacketRecord};

/// How many may be under way at once on one CPU.
const SLOTS: usize = 4;

/// One CPU's slots.
#[repr(C)]
pub struct Slots<T>([Slot<T>; SLOTS]);

/// What one packet or operation left behind on its way in.
#[repr(C)]
pub struct Slot<T> {
    /// The address of the packet or the entry; zero in a free slot.
    pub owner: u64,
    /// The caller's stack pointer, where there are no arguments on the way out (kretprobe).
    pub frame: u64,
    /// When it was claimed.
    pub claimed_ns: u64,
    /// A number read back from a pointer: see `task`.
    pub number: u64,
    pub record: T,
}

impl<T> Slots<T> {
    /// A slot for `owner`: one it left behind itself, else a free one, else the oldest. Says
    /// whether another's memory had to go for it.
    #[inline(always)]
    pub fn claim(&mut self, owner: u64) -> (&mut Slot<T>, bool) {
        let mut choice = 0;
        let mut oldest = u64::MAX;
        let mut taken = true;
        let mut index = 0;
        while index < SLOTS {
            let slot = &self.0[index];
            if slot.owner == owner {
                choice = index;
                taken = false;
                break;
            }
            let age = if slot.owner == 0 { 0 } else { slot.claimed_ns };
            if age < oldest {
                oldest = age;
                choice = index;
                taken = slot.owner != 0;
            }
            index += 1;
        }
        (&mut self.0[choice & (SLOTS - 1)], taken)
    }

    /// The slot that `owner` claimed.
    #[inline(always)]
    pub fn of_owner(&mut self, owner: u64) -> Option<&mut Slot<T>> {
        self.0.iter_mut().find(|slot| slot.owner == owner)
    }

    /// The slot claimed in the frame above `frame`.
    #[inline(always)]
    pub fn of_frame(&mut self, frame: u64) -> Option<&mut Slot<T>> {
        self.0
            .iter_mut()
            .find(|slot| slot.owner != 0 && slot.frame == frame)
    }
}

impl Slots<PacketRecord> {
    /// The pass in which the entry at `ct` is being handled.
    #[inline(always)]
    pub fn handling(&mut self, ct: u64) -> Option<&mut Slot<PacketRecord>> {
        self.0.iter_mut().find(|slot| {
            slot.owner != 0 && slot.record.flags & PacketFlags::BEFORE != 0 && slot.record.ct == ct
        })
    }
}
