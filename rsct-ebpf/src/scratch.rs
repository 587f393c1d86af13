//! What a program remembers from entering a function to leaving it.
//!
//! One CPU can have several packets under way at once: a softirq interrupts a process inside
//! `nf_conntrack_in`, or the scheduler does, and the CPU runs `nf_conntrack_in` again. What comes in
//! between ends first, so each CPU has a small stack of slots: entering a function claims the next one,
//! leaving it frees that and whatever is still above. A slot says where on the kernel's stack its
//! function was entered; leaving takes only the slot that was claimed right there.
//!
//! A program does not interrupt itself on one CPU (the kernel's own guard, whose refusals user space
//! reads as `recursion_misses`), so claiming needs no atomics. Another program can: the entry of a
//! softirq's packet within the exit of the packet that it interrupts. Hence
//! - a slot is freed last, when nothing of it is read any more;
//! - while an exit is at work, nobody claims a slot, as the guard would keep that one's exit from running;
//! - a slot that was left behind nevertheless goes when the one below it is freed;
//! - where the guard kept an entry from running, or the scheduler took the process to another CPU, the
//!   exit finds no slot, and says that it knows nothing. It never takes another's.

use core::{mem::MaybeUninit, ptr};

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use rsct_common::{
    loss::Loss,
    record::{PacketFlags, PacketRecord},
};

use crate::{
    births,
    emit::count,
    filter,
    kernel::{Memory, nf_conn::NfConn},
    words,
};

/// How many may be under way at once on one CPU.
const SLOTS: usize = 3;
/// The depth while an exit is at work.
const LEAVING: usize = 1 << 8;

/// One CPU's slots.
#[repr(C)]
pub struct Slots<T> {
    /// How many are claimed, or [`LEAVING`].
    depth: u64,
    /// A number read back from a pointer, which the verifier does not let reckon with.
    number: u64,
    slots: [Slot<T>; SLOTS],
}

/// What one packet or operation left behind on its way in.
#[repr(C)]
pub struct Slot<T> {
    /// The address of the packet or the entry.
    pub owner: u64,
    /// Where it was claimed: see `kernel::args::Frame`.
    frame: u64,
    /// When it was claimed.
    pub claimed_ns: u64,
    /// A number read back from a pointer: see `task`.
    pub number: u64,
    /// What the packet carried when it came: `skb->_nfct`.
    pub nfct: u64,
    /// The epoch of births in which the record's entry was identified: see `births`.
    pub epoch: u64,
    /// What the filter said of it.
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
    /// The exit goes to work on the slot: until it is freed, nobody finds one on this CPU.
    #[inline(always)]
    pub fn at_work(mut self) -> Self {
        self.set_depth(LEAVING);
        self
    }

    /// Lets others have the slot, and those above it, whose functions have long been left.
    #[inline(always)]
    pub fn free(mut self) {
        let index = self.index;
        self.set_depth(index);
    }

    /// Volatile, as the record's copy into the ring is: the compiler keeps what is done to a slot, and who
    /// may look at it, in order.
    #[inline(always)]
    fn set_depth(&mut self, depth: usize) {
        // SAFETY: the slots' own field.
        unsafe { ptr::write_volatile(self.depth, depth as u64) };
    }
}

/// CPUs whose packets are remembered; on those beyond nothing is recorded, and each packet counted as
/// forgotten, at both ends.
const CPUS: usize = 512;

/// Packets between entering and leaving `nf_conntrack_in`.
///
/// Global data, not a per-CPU map: every program on a packet's path comes here first, and this is
/// found in half the instructions. Not exported, so that objects without such programs go without it.
static mut PASSES: [MaybeUninit<Slots<PacketRecord>>; CPUS] = [const { MaybeUninit::zeroed() }; CPUS];

/// This CPU's packets.
#[inline(always)]
pub fn passes() -> Option<&'static mut Slots<PacketRecord>> {
    // SAFETY: no arguments.
    let cpu = unsafe { bpf_get_smp_processor_id() } as usize;
    if cpu >= CPUS {
        count(Loss::PassForgotten);
        return None;
    }
    // SAFETY: within the array; all zeros are no slot claimed; see above for who else may look at them.
    Some(unsafe { &mut *(&raw mut PASSES).cast::<Slots<PacketRecord>>().add(cpu) })
}

/// How far a function can be below the one of conntrack that it is called in, on the stack. Stacks are further apart:
/// a guard page lies between them.
pub const NESTED_BYTES: u64 = 4096;

/// The index so many below. The compiler must not see how it came about: it would reckon with the depth where
/// the verifier has only the index's bounds.
#[inline(always)]
fn below(depth: usize, by: usize) -> usize {
    words::opaque(depth.wrapping_sub(by) as u64) as usize
}

impl<T> Slots<T> {
    /// How many are claimed: read anew, as a softirq may have come.
    #[inline(always)]
    fn depth(&self) -> usize {
        // SAFETY: its own field.
        unsafe { ptr::read_volatile(&raw const self.depth) as usize }
    }

    /// What the verifier knows by its origin, as a number it knows nothing of.
    #[inline(always)]
    fn number_of(&mut self, known: u64) -> u64 {
        let number = &raw mut self.number;
        // SAFETY: its own field.
        unsafe {
            ptr::write_volatile(number, known);
            ptr::read_volatile(number)
        }
    }

    /// The next slot, for what `owner` goes through in the function entered at `frame`. Where others' memory has
    /// to go for it, that is counted as `loss`. None while an exit is at work: the kernel would not run the exit
    /// for this one.
    #[inline(always)]
    pub fn claim(&mut self, owner: u64, frame: u64, loss: Loss) -> Option<Claim<'_, T>> {
        let mut index = self.depth();
        if index != 0 {
            if index >= LEAVING {
                return None;
            }
            // What was entered further down this very stack has been left, whether its exit ran or not.
            let frame = self.number_of(frame);
            let last = below(index, 1);
            if last < SLOTS && frame.wrapping_sub(self.slots[last].frame) < NESTED_BYTES {
                index = last;
            }
            if index >= SLOTS {
                index = 0;
                count(loss);
            }
            // Through memory, so that the verifier has one case to walk the rest with, not all the above.
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
        // Only now: a softirq must not take what the last owner left for its own.
        claim.set_depth(index + 1);
        Some(claim)
    }

    /// The slot claimed by the function that was entered at `frame`.
    #[inline(always)]
    pub fn claimed_at(&mut self, frame: u64) -> Option<Claim<'_, T>> {
        self.find(|slot| slot.frame == frame)
    }

    /// The same where it is known for whom: what another left behind in the same place is not taken.
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
        if !is_it(&self.slots[index]) {
            // Nearly never: another process came in between, and has not left yet.
            index = below(depth, 2);
            if index >= SLOTS || !is_it(&self.slots[index]) {
                return None;
            }
        }
        Some(Claim {
            slot: &mut self.slots[index],
            depth: &mut self.depth,
            index,
        })
    }

    /// The slot claimed last, by a function that the one whose own place on the stack is `frame` was called in.
    #[inline(always)]
    pub fn within(&mut self, frame: u64) -> Option<&mut Slot<T>> {
        let frame = self.number_of(frame);
        let slot = self.last()?;
        (slot.frame.wrapping_sub(frame) < NESTED_BYTES).then_some(slot)
    }

    /// The slot claimed last.
    #[inline(always)]
    fn last(&mut self) -> Option<&mut Slot<T>> {
        let index = below(self.depth(), 1);
        (index < SLOTS).then(|| &mut self.slots[index])
    }
}

impl Slots<PacketRecord> {
    /// The pass of the packet at `skb`, for what is called within it.
    #[inline(always)]
    pub fn pass_of(&mut self, skb: u64) -> Option<&mut Slot<PacketRecord>> {
        self.last().filter(|slot| slot.owner == skb)
    }

    /// The pass in which the entry at `ct` is being handled, by the function that was entered at `frame`.
    #[inline(always)]
    pub fn handling(&mut self, ct: u64, frame: u64) -> Option<&mut Slot<PacketRecord>> {
        // Before the protocol's handler, a slot still has the last packet's entry.
        const SEEN: u16 = PacketFlags::BEFORE | PacketFlags::REJECTED;
        let frame = self.number_of(frame);
        let slot = self.last()?;
        (slot.record.ct == ct
            && slot.record.flags & SEEN != 0
            && slot.frame.wrapping_sub(frame) < NESTED_BYTES)
            .then_some(slot)
    }
}

/// What came of looking whose packet it is.
pub enum Identified {
    /// The filter does not want it.
    Rejected,
    /// The last packet on this CPU was of the same entry.
    ToldAlready,
    New,
}

impl Slot<PacketRecord> {
    /// Notes whose packet it is, and says whether the filter wants it. Nothing is read, nor asked again,
    /// where the slot's last packet was of the same entry.
    #[inline(always)]
    pub fn identify<M: Memory>(&mut self, ct: NfConn<M>) -> Identified {
        let epoch = births::epoch();
        let news = self.record.ct != ct.address() || self.epoch != epoch;
        if news {
            self.epoch = epoch;
            self.record.ct = ct.address();
            self.record.tuple = ct.tuple(0);
            self.record.zone = ct.zone();
            self.record.netns = ct.netns();
            self.record.birth_ns = 0;
        }
        if news || filter::may_change() {
            self.wanted = filter::wants(&self.record.tuple, Some(ct)) as u64;
        }
        if self.wanted == 0 {
            self.record.flags |= PacketFlags::REJECTED;
            return Identified::Rejected;
        }
        if news {
            Identified::New
        } else {
            Identified::ToldAlready
        }
    }

    /// Whether the entry at `ct` is the last packet's, and the filter did not want that.
    #[inline(always)]
    pub fn rejects_again(&self, ct: u64) -> bool {
        ct != 0
            && filter::asks_anything()
            && !filter::may_change()
            && self.wanted == 0
            && self.record.ct == ct
            && self.epoch == births::epoch()
    }

    /// Notes when the entry was born, unless that is known.
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
