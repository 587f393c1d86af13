//! State that a program keeps from the entry to the exit of a function.
//!
//! One CPU can process several packets at once: a softirq or the scheduler interrupts a process inside
//! `nf_conntrack_in`, and the CPU runs `nf_conntrack_in` again. The inner call ends first, so each CPU has a small
//! stack of slots: the entry of a function claims the next slot, the exit frees it and all slots above it. A slot
//! stores the position on the kernel stack at which its function was entered; an exit uses only the slot claimed at
//! its own position.
//!
//! The kernel does not let a program interrupt itself on one CPU (user space reads the refused runs as
//! `recursion_misses`), so a claim needs no atomics. Another program can interrupt: the entry for a softirq's packet
//! can run inside the exit for the packet that it interrupts. Therefore
//! - an exit frees its slot last, after it has read all of it;
//! - no slot can be claimed while an exit runs, because the kernel would refuse the exit of that claim;
//! - a slot that was never freed is freed together with the slot below it;
//! - if the kernel refused an entry, or the scheduler moved the process to another CPU, the exit finds no slot and
//!   treats the state as unknown. It never uses the slot of another call.

use core::{mem::MaybeUninit, ptr};

use rsct_common::{
    loss::Loss,
    record::{PacketFlags, PacketRecord},
};

use crate::{
    births,
    emit::{count, cpu},
    filter,
    kernel::{Memory, nf_conn::NfConn},
    words,
};

/// The number of calls in progress that one CPU can track.
const SLOTS: usize = 3;
/// The depth while an exit runs.
const LEAVING: usize = 1 << 8;

/// One CPU's slots.
#[repr(C)]
pub struct Slots<T> {
    /// The number of claimed slots, or [`LEAVING`].
    depth: u64,
    /// A number read back from a pointer, with which the verifier allows no arithmetic.
    number: u64,
    slots: [Slot<T>; SLOTS],
}

/// State from the entry of one packet's traversal or one operation.
#[repr(C)]
pub struct Slot<T> {
    /// The address of the packet or the entry.
    pub owner: u64,
    /// The stack position of the claim: see `kernel::args::Frame`.
    frame: u64,
    /// The time of the claim.
    pub claimed_ns: u64,
    /// A number read back from a pointer: see `task`.
    pub number: u64,
    /// `skb->_nfct` when the packet entered.
    pub nfct: u64,
    /// The epoch of births in which the record's entry was identified: see `births`.
    pub epoch: u64,
    /// The filter's verdict: nonzero if it matched.
    pub wanted: u64,
    pub record: T,
}

/// A claimed slot, with the means to free it.
pub struct Claim<'a, T> {
    pub slot: &'a mut Slot<T>,
    depth: &'a mut u64,
    index: usize,
}

impl<T> Claim<'_, T> {
    /// Marks that the exit runs: until the slot is freed, no slot can be claimed on this CPU.
    #[inline(always)]
    pub fn begin_exit(mut self) -> Self {
        self.set_depth(LEAVING);
        self
    }

    /// Frees the slot and all slots above it, whose functions have already returned.
    #[inline(always)]
    pub fn free(mut self) {
        let index = self.index;
        self.set_depth(index);
    }

    /// Volatile, as the record's copy into the ring is: the compiler keeps the order of accesses to a slot and of
    /// changes to the depth.
    #[inline(always)]
    fn set_depth(&mut self, depth: usize) {
        // SAFETY: a field of the slots.
        unsafe { ptr::write_volatile(self.depth, depth as u64) };
    }
}

/// The number of CPUs with slots. On any other CPU nothing is recorded, and each packet counts as forgotten, at entry
/// and at exit.
const CPUS: usize = 512;

/// Packets inside `nf_conntrack_in`.
///
/// Global data instead of a per-CPU map: every program of a packet's traversal needs it first, and the lookup takes
/// half the instructions. Not exported, so that objects without such programs do not contain it.
static mut TRAVERSALS: [MaybeUninit<Slots<PacketRecord>>; CPUS] = [const { MaybeUninit::zeroed() }; CPUS];

/// Returns the slots of this CPU.
#[inline(always)]
pub fn traversals() -> Option<&'static mut Slots<PacketRecord>> {
    let cpu = cpu() as usize;
    if cpu >= CPUS {
        count(Loss::PassForgotten);
        return None;
    }
    // SAFETY: within the array; all zeros mean that no slot is claimed; the module's documentation explains who else
    // can access them.
    Some(unsafe { &mut *(&raw mut TRAVERSALS).cast::<Slots<PacketRecord>>().add(cpu) })
}

/// The maximum distance on the stack between a conntrack function and a function that it calls. Stacks are further
/// apart: a guard page lies between them.
pub const NESTED_BYTES: u64 = 4096;

/// Returns the index `by` below `depth`. It hides the depth from the compiler: the verifier knows only the index's
/// bounds.
#[inline(always)]
fn below(depth: usize, by: usize) -> usize {
    words::opaque(depth.wrapping_sub(by) as u64) as usize
}

impl<T> Slots<T> {
    /// Returns the number of claimed slots, read anew because a softirq can change it.
    #[inline(always)]
    fn depth(&self) -> usize {
        // SAFETY: a field of this struct.
        unsafe { ptr::read_volatile(&raw const self.depth) as usize }
    }

    /// Turns a pointer, whose origin the verifier tracks, into a number without known bounds.
    #[inline(always)]
    fn number_of(&mut self, known: u64) -> u64 {
        let number = &raw mut self.number;
        // SAFETY: a field of this struct.
        unsafe {
            ptr::write_volatile(number, known);
            ptr::read_volatile(number)
        }
    }

    /// Claims the next slot for `owner` in the function entered at `frame`. If that overwrites another slot, it
    /// counts `loss`. Returns none while an exit runs: the kernel would refuse the exit of this claim.
    #[inline(always)]
    pub fn claim(&mut self, owner: u64, frame: u64, loss: Loss) -> Option<Claim<'_, T>> {
        let mut index = self.depth();
        if index != 0 {
            if index >= LEAVING {
                return None;
            }
            // A slot claimed deeper on this stack belongs to a function that has returned, even if its exit did not
            // run.
            let frame = self.number_of(frame);
            let last = below(index, 1);
            if last < SLOTS && frame.wrapping_sub(self.slots[last].frame) < NESTED_BYTES {
                index = last;
            }
            if index >= SLOTS {
                index = 0;
                count(loss);
            }
            // Through memory, so that the verifier walks the rest once, not once for each case above.
            index = self.number_of(index as u64) as usize;
            if index >= SLOTS {
                return None;
            }
        }
        let slot = &mut self.slots[index];
        slot.owner = owner;
        slot.frame = frame;
        let mut claim = Claim {
            slot,
            depth: &mut self.depth,
            index,
        };
        // Last: a softirq must not see the previous owner's data in a claimed slot.
        claim.set_depth(index + 1);
        Some(claim)
    }

    /// Finds the slot claimed by the function that was entered at `frame`.
    #[inline(always)]
    pub fn claimed_at(&mut self, frame: u64) -> Option<Claim<'_, T>> {
        self.find(|slot| slot.frame == frame)
    }

    /// The same if the owner is known: a stale slot of another owner at the same position does not match.
    #[inline(always)]
    pub fn claimed_by(&mut self, owner: u64, frame: u64) -> Option<Claim<'_, T>> {
        self.find(|slot| slot.frame == frame && slot.owner == owner)
    }

    #[inline(always)]
    fn find(&mut self, is_it: impl Fn(&Slot<T>) -> bool) -> Option<Claim<'_, T>> {
        let depth = self.depth();
        let mut index = below(depth, 1);
        if index >= SLOTS {
            return None;
        }
        // The pointer rather than the index: from that, the programs would compute the address once more.
        let mut slot = &raw mut self.slots[index];
        // SAFETY: one of the slots.
        if !is_it(unsafe { &*slot }) {
            // Rare: another process interrupted, and has not left yet.
            index = below(depth, 2);
            if index >= SLOTS {
                return None;
            }
            slot = &raw mut self.slots[index];
            // SAFETY: as above.
            if !is_it(unsafe { &*slot }) {
                return None;
            }
        }
        Some(Claim {
            // SAFETY: one of the slots, which nothing else borrows.
            slot: unsafe { &mut *slot },
            depth: &mut self.depth,
            index,
        })
    }

    /// Returns the slot claimed last, if the function at `frame` was called by the function that claimed it.
    #[inline(always)]
    pub fn within(&mut self, frame: u64) -> Option<&mut Slot<T>> {
        let frame = self.number_of(frame);
        let slot = self.last()?;
        (slot.frame.wrapping_sub(frame) < NESTED_BYTES).then_some(slot)
    }

    /// Returns the slot claimed last.
    #[inline(always)]
    fn last(&mut self) -> Option<&mut Slot<T>> {
        let index = below(self.depth(), 1);
        (index < SLOTS).then(|| &mut self.slots[index])
    }
}

impl Slots<PacketRecord> {
    /// Returns the traversal of the packet at `skb`, for functions called within it.
    #[inline(always)]
    pub fn traversal_of(&mut self, skb: u64) -> Option<&mut Slot<PacketRecord>> {
        self.last().filter(|slot| slot.owner == skb)
    }

    /// Returns the traversal that handles the entry at `ct`, in the function that was entered at `frame`.
    #[inline(always)]
    pub fn handling(&mut self, ct: u64, frame: u64) -> Option<&mut Slot<PacketRecord>> {
        // Before the protocol's handler runs, a slot still holds the previous packet's entry.
        const SEEN: u16 = PacketFlags::BEFORE | PacketFlags::REJECTED;
        let frame = self.number_of(frame);
        let slot = self.last()?;
        (slot.record.ct == ct
            && slot.record.flags & SEEN != 0
            && slot.frame.wrapping_sub(frame) < NESTED_BYTES)
            .then_some(slot)
    }
}

/// The result of [`Slot::identify`].
pub enum Identified {
    /// The filter rejects it.
    Rejected,
    /// The previous packet on this CPU belongs to the same entry.
    Known,
    New,
}

impl Slot<PacketRecord> {
    /// Records the packet's entry and applies the filter. If the slot's previous packet belongs to the same entry, it
    /// neither reads the entry nor runs the filter again.
    #[inline(always)]
    pub fn identify<M: Memory>(&mut self, ct: NfConn<M>) -> Identified {
        let epoch = births::epoch();
        let changed = self.record.ct != ct.address() || self.epoch != epoch;
        if changed {
            self.epoch = epoch;
            self.record.ct = ct.address();
            self.record.tuple = ct.tuple(0);
            self.record.zone = ct.zone();
            self.record.netns = ct.netns();
            self.record.birth_ns = 0;
        }
        if changed || filter::may_change() {
            self.wanted = filter::wants(&self.record.tuple, Some(ct)) as u64;
        }
        if self.wanted == 0 {
            self.record.flags |= PacketFlags::REJECTED;
            return Identified::Rejected;
        }
        if changed {
            Identified::New
        } else {
            Identified::Known
        }
    }

    /// True if the entry at `ct` is the previous packet's, and the filter rejected that.
    #[inline(always)]
    pub fn rejects_again(&self, ct: u64) -> bool {
        ct != 0
            && filter::has_tests()
            && !filter::may_change()
            && self.wanted == 0
            && self.record.ct == ct
            && self.epoch == births::epoch()
    }

    /// Looks up when the entry was born, unless that is known.
    #[inline(always)]
    pub fn find_birth(&mut self) {
        if self.record.birth_ns != 0 {
            return;
        }
        let (birth, first_sight) = births::of(self.record.ct, self.claimed_ns);
        self.record.birth_ns = birth;
        if first_sight {
            self.record.flags |= PacketFlags::FIRST_SIGHT;
        }
    }
}
