//! What a program remembers from entering a function to leaving it.
//!
//! One CPU can have several packets under way at once: a softirq interrupts a process inside
//! `nf_conntrack_in`, or the scheduler does, and the CPU runs `nf_conntrack_in` again. So what is
//! remembered hangs neither on the CPU nor on the task alone: each CPU has a few slots, and a slot
//! belongs to the packet (or the entry) whose address it carries. An exit that finds no slot of its
//! own says that it knows nothing; it never takes another's.
//!
//! A program does not interrupt itself on one CPU (the kernel's own guard, whose refusals user
//! space reads as `recursion_misses`), so claiming a slot needs no atomics. Another program can: the
//! entry of a softirq's packet within the exit of the packet that it interrupts. So a slot is freed
//! last, when nothing of it is read any more; and where the guard kept an exit from running, its slot
//! stays behind until somebody needs it.

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
};

/// How many may be under way at once on one CPU.
const CLAIMABLE: usize = 3;
/// The slot that is never claimed: for what one program begins and ends on its own.
const SPARE: usize = CLAIMABLE;
/// A power of two, so that an index can be masked.
const SLOTS: usize = CLAIMABLE + 1;

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
    /// What the packet carried when it came: `skb->_nfct`.
    pub nfct: u64,
    /// The epoch of births in which the record's entry was identified: see `births`.
    pub epoch: u64,
    /// What the filter said of it.
    pub wanted: u64,
    /// Which slot this is: see [`Slots::at`].
    index: u64,
    pub record: T,
}

/// CPUs whose packets are remembered; on those beyond, packets are recorded without their cost and
/// their state before, and counted as forgotten.
const CPUS: usize = 512;

/// Packets between entering and leaving `nf_conntrack_in`.
///
/// Global data, not a per-CPU map: every program on a packet's path comes here first, and this is
/// found in half the instructions.
#[unsafe(no_mangle)]
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
    // SAFETY: within the array; all zeros are free slots; see above for who else may look at them.
    Some(unsafe { &mut *(&raw mut PASSES).cast::<Slots<PacketRecord>>().add(cpu) })
}

impl<T> Slot<T> {
    /// Lets others have it. Volatile, as the record's copy into the ring is: the compiler keeps the two in
    /// this order.
    #[inline(always)]
    pub fn free(&mut self) {
        // SAFETY: its own field.
        unsafe { ptr::write_volatile(&raw mut self.owner, 0) };
    }
}

impl<T> Slots<T> {
    /// The slot at `index`.
    ///
    /// The index goes through memory, so that the verifier does not know which slot it is: it would
    /// walk the rest of the program anew for each of them.
    #[inline(always)]
    fn at(&mut self, index: usize) -> &mut Slot<T> {
        let known = &raw mut self.0[index].index;
        // SAFETY: this slot's own field, which never holds anything else.
        let unknown = unsafe {
            ptr::write_volatile(known, index as u64);
            ptr::read_volatile(known)
        };
        &mut self.0[unknown as usize & (SLOTS - 1)]
    }

    /// A slot for `owner`: the first that is free or that it left behind itself, else the oldest.
    /// Says whether another's memory had to go for it.
    ///
    /// Searches go from the first slot on, so what `owner` may have left behind further back is not
    /// found before this one.
    #[inline(always)]
    pub fn claim(&mut self, owner: u64) -> (&mut Slot<T>, bool) {
        let free = self.0[..CLAIMABLE]
            .iter()
            .position(|slot| slot.owner == 0 || slot.owner == owner);
        if let Some(index) = free {
            return (self.at(index), false);
        }
        let mut oldest = 0;
        let mut index = 1;
        while index < CLAIMABLE {
            if self.0[index].claimed_ns < self.0[oldest & (SLOTS - 1)].claimed_ns {
                oldest = index;
            }
            index += 1;
        }
        (self.at(oldest & (SLOTS - 1)), true)
    }

    /// The slot that is never claimed. A program does not interrupt itself, so what it puts there is
    /// its own until it ends.
    #[inline(always)]
    pub fn spare(&mut self) -> &mut Slot<T> {
        self.at(SPARE)
    }

    /// The slot that `owner` claimed.
    #[inline(always)]
    pub fn of_owner(&mut self, owner: u64) -> Option<&mut Slot<T>> {
        let index = self.0[..CLAIMABLE].iter().position(|slot| slot.owner == owner)?;
        Some(self.at(index))
    }

    /// The slot claimed in the frame above `frame`.
    #[inline(always)]
    pub fn of_frame(&mut self, frame: u64) -> Option<&mut Slot<T>> {
        let index = self.0[..CLAIMABLE]
            .iter()
            .position(|slot| slot.owner != 0 && slot.frame == frame)?;
        Some(self.at(index))
    }
}

impl Slots<PacketRecord> {
    /// The pass in which the entry at `ct` is being handled.
    #[inline(always)]
    pub fn handling(&mut self, ct: u64) -> Option<&mut Slot<PacketRecord>> {
        // Before the protocol's handler, a slot still has the last packet's entry.
        const SEEN: u16 = PacketFlags::BEFORE | PacketFlags::REJECTED;
        let index = self.0[..CLAIMABLE]
            .iter()
            .position(|slot| slot.owner != 0 && slot.record.ct == ct && slot.record.flags & SEEN != 0)?;
        Some(self.at(index))
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
        filter::asks_anything()
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
