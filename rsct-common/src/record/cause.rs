//! Why something happened: one record for each time, and a count for each cause that holds when records are lost.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::TupleWords;

/// How many frames of the kernel's stack a cause has.
pub const STACK_FRAMES: usize = 10;
/// How many bytes of a text.
pub const TEXT_BYTES: usize = 64;
/// How many numbers, whose meaning depends on the cause.
pub const NUMBERS: usize = 8;

/// One thing that happened, and what tells why.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CauseRecord {
    /// [`super::kind::CAUSE`].
    pub kind: u8,
    /// [`CauseFamily`].
    pub family: u8,
    /// What happened: the codes of [`what`].
    pub what: u8,
    /// The netfilter hook, with [`CauseFlags::HOOK`].
    pub hook: u8,
    /// The CPU.
    pub cpu: u16,
    /// [`CauseFlags`].
    pub flags: u16,
    /// Monotonic time.
    pub time_ns: u64,
    /// The entry's address, or zero.
    pub ct: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Index of the interface.
    pub ifindex: u32,
    /// The netlink port that asked for it, if one did.
    pub portid: u32,
    /// The process that did it.
    pub pid: u32,
    /// `ct->status`.
    pub status: u32,
    /// `ct->timeout`, as far as it has come: negative where it ran out in the past.
    pub left_jiffies: i32,
    /// The zone.
    pub zone: u16,
    /// The protocol's state.
    pub state: u8,
    /// The TCP flags.
    pub tcp_flags: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// [`CauseKey::more`].
    pub more: u16,
    /// [`CauseKey::detail`].
    pub detail: u64,
    /// What they are depends on the cause.
    pub numbers: [u64; NUMBERS],
    /// The process's name.
    pub comm: [u8; 16],
    /// The flow: its original direction, or for a packet without an entry what its headers say.
    pub tuple: TupleWords,
    /// The other tuple, where there is one: the reply direction.
    pub other: TupleWords,
    /// The tuples of the entry that was there first.
    pub rival: [TupleWords; 2],
    /// Where in the kernel, the innermost first: return addresses.
    pub stack: [u64; STACK_FRAMES],
    /// The kernel's own words, up to the first zero.
    pub text: [u8; TEXT_BYTES],
}

const _: () = assert!(size_of::<CauseRecord>() == 448);

impl CauseRecord {
    /// What it was counted under, but for the stack of a cause that is not told by it.
    pub fn key(&self) -> CauseKey {
        CauseKey {
            family: self.family,
            what: self.what,
            more: self.more,
            netns: self.netns,
            detail: self.detail,
            stack: self.stack,
        }
    }
}

/// What a count is of.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CauseKey {
    /// [`CauseFamily`].
    pub family: u8,
    /// What happened: the codes of [`what`].
    pub what: u8,
    /// More of it, where the cause has more.
    pub more: u16,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// What tells causes of the same code apart: an address in the kernel.
    pub detail: u64,
    /// Where in the kernel, where that tells causes apart.
    pub stack: [u64; STACK_FRAMES],
}

/// How often.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CauseCount {
    /// How often it happened.
    pub count: u64,
    /// The kernel's own words.
    pub text: [u8; TEXT_BYTES],
}

/// [`CauseKey`] as words: what the map's key is to a reader.
pub type CauseKeyWords = [u64; size_of::<CauseKey>() / 8];
/// [`CauseCount`] as words.
pub type CauseCountWords = [u64; size_of::<CauseCount>() / 8];

/// What a cause is asked for.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CauseFamily {
    /// A packet that conntrack wants none of.
    Invalid = 1,
    /// An entry that left the table.
    Delete = 2,
    /// An entry that could not be had, or only by throwing another out.
    Full = 3,
    /// An entry that was not inserted, or not as it was meant to be.
    Insert = 4,
    /// Addresses and ports that were looked for.
    Nat = 5,
    /// An event that did not reach who listens.
    Lost = 6,
    /// A packet that died before its entry was in the table.
    Drop = 7,
}

impl CauseFamily {
    /// Every family.
    pub const ALL: [Self; 7] = [
        Self::Invalid,
        Self::Delete,
        Self::Full,
        Self::Insert,
        Self::Nat,
        Self::Lost,
        Self::Drop,
    ];

    /// Reads the byte of a record.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|family| *family as u8 == byte)
    }

    /// The name it is asked for and shown under.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Delete => "delete",
            Self::Full => "full",
            Self::Insert => "insert",
            Self::Nat => "nat",
            Self::Lost => "lost",
            Self::Drop => "drop",
        }
    }
}

/// What happened, by family.
pub mod what {
    /// The protocol's tracker said why.
    pub const INVALID_LOGGED: u8 = 1;
    /// The packet left without an entry, and nobody said why.
    pub const INVALID_NO_REASON: u8 = 2;

    /// `nf_ct_delete` takes an entry out of the table.
    pub const DELETE: u8 = 1;

    /// The table is full, and nobody could be thrown out.
    pub const FULL_REFUSED: u8 = 1;
    /// The kernel has no memory for an entry.
    pub const FULL_NO_MEMORY: u8 = 2;
    /// The table is full, and another entry made room.
    pub const FULL_EVICTED: u8 = 3;

    /// The protocol allows no clash: the packet is dropped.
    pub const INSERT_CLASH_REFUSED: u8 = 1;
    /// The reply is taken too: the packet is dropped.
    pub const INSERT_CLASH_UNRESOLVED: u8 = 2;
    /// The packet goes on with the entry that was there first.
    pub const INSERT_CLASH_RESOLVED: u8 = 3;
    /// The entry is in the table for its reply only, for a second.
    pub const INSERT_CLASH_HIDDEN: u8 = 4;
    /// The entry was given up before.
    pub const INSERT_DYING: u8 = 5;
    /// There are too many entries in the bucket.
    pub const INSERT_CHAIN: u8 = 6;
    /// The entry is in the table already.
    pub const INSERT_ALREADY_INSERTED: u8 = 7;
    /// A program's entry was refused: the detail is the errno.
    pub const INSERT_CREATE: u8 = 8;

    /// Nothing was changed, nothing was looked for.
    pub const NAT_UNCHANGED: u8 = 1;
    /// What was asked for first is free.
    pub const NAT_FIRST_TRY: u8 = 2;
    /// Several were tried.
    pub const NAT_SEARCHED: u8 = 3;
    /// None is free: the last that was tried is used all the same, and the packet dropped later.
    pub const NAT_EXHAUSTED: u8 = 4;
    /// A closed connection was thrown out for its tuple.
    pub const NAT_EVICTED: u8 = 5;
    /// There was no setting up.
    pub const NAT_REFUSED: u8 = 6;
    /// A tuple that was tried is taken: counted for each, besides.
    pub const NAT_TAKEN: u8 = 7;

    /// A listener's buffer was full.
    pub const LOST_OVERRUN: u8 = 1;
    /// The same, and the listener will be told later.
    pub const LOST_DEFERRED: u8 = 2;
    /// There was no memory for a message.
    pub const LOST_NO_MESSAGE: u8 = 3;

    /// The packet was freed, and the kernel has a reason.
    pub const DROP_FREED: u8 = 1;
    /// The entry was let go of, and no packet was freed for a reason.
    pub const DROP_RELEASED: u8 = 2;
    /// Conntrack dropped it for a clash.
    pub const DROP_CLASH: u8 = 3;
    /// Conntrack dropped it, as its entry could not be inserted.
    pub const DROP_NOT_INSERTED: u8 = 4;
    /// Conntrack dropped it, as there was no entry to be had.
    pub const DROP_NO_ENTRY: u8 = 5;
}

/// Bits of [`CauseRecord::flags`].
#[derive(Clone, Copy, Debug)]
pub struct CauseFlags;

impl CauseFlags {
    /// The process is known: it happened on a process's own stack.
    pub const TASK: u16 = 1 << 0;
    /// The TCP window's numbers are known.
    pub const WINDOW: u16 = 1 << 1;
    /// The TCP flags are known.
    pub const TCP: u16 = 1 << 2;
    /// The packet has an entry, whose tuple, status and state these are.
    pub const ENTRY: u16 = 1 << 3;
    /// [`CauseRecord::rival`] is known.
    pub const CLASH: u16 = 1 << 4;
    /// [`CauseRecord::hook`] is known.
    pub const HOOK: u16 = 1 << 5;
}

/// Places in [`CauseRecord::numbers`] of what an INVALID TCP segment was held against
/// (`tcp_in_window`, net/netfilter/nf_conntrack_proto_tcp.c).
pub mod window {
    /// The segment's first sequence number.
    pub const SEQ: usize = 0;
    /// The one after its last.
    pub const END: usize = 1;
    /// What it acknowledges.
    pub const ACK: usize = 2;
    /// The sender's `td_end`.
    pub const SENDER_END: usize = 3;
    /// The sender's `td_maxend`.
    pub const SENDER_MAXEND: usize = 4;
    /// The sender's `td_maxwin`.
    pub const SENDER_MAXWIN: usize = 5;
    /// The receiver's `td_end`.
    pub const RECEIVER_END: usize = 6;
    /// The receiver's `td_maxwin`.
    pub const RECEIVER_MAXWIN: usize = 7;
}

/// Bits of [`CauseKey::more`] of a delete.
pub mod delete {
    /// A netlink port asked for it.
    pub const BY_NETLINK: u16 = 1 << 0;
    /// Its timeout had run out.
    pub const EXPIRED: u16 = 1 << 1;
    /// No reply was seen.
    pub const UNREPLIED: u16 = 1 << 2;
}

/// Of a search of NAT.
pub mod nat {
    /// How long it took.
    pub const DURATION_NS: usize = 0;
    /// How many tuples were tried, and in the upper half how many of them are taken.
    pub const ATTEMPTS: usize = 1;
    /// `flags` of `struct nf_nat_range2`.
    pub const FLAGS: usize = 2;
    /// Its ports: the least, and in the next 16 bits the greatest.
    pub const PORTS: usize = 3;
    /// Its least address, in two words as a tuple has it.
    pub const MIN: usize = 4;
    /// Its greatest address.
    pub const MAX: usize = 6;

    /// What a search is counted under, beside what came of it: the powers of two of its attempts and of its nanoseconds.
    pub const fn steps(attempts: u64, duration: u64) -> u64 {
        attempts | duration << 8
    }
}

/// Of an event that got lost: its kinds.
pub mod lost {
    /// `IPCT_NEW` or `IPCT_RELATED`.
    pub const NEW: u16 = 1;
    /// Anything in between.
    pub const UPDATE: u16 = 2;
    /// `IPCT_DESTROY`.
    pub const DESTROY: u16 = 3;

    /// What is told of these events (`ctnetlink_conntrack_event`, net/netfilter/nf_conntrack_netlink.c; the bits are those
    /// of `enum ip_conntrack_events`).
    pub const fn kind(events: u32) -> u16 {
        const IPCT_NEW: u32 = 0;
        const IPCT_RELATED: u32 = 1;
        const IPCT_DESTROY: u32 = 2;
        if events & 1 << IPCT_DESTROY != 0 {
            DESTROY
        } else if events & (1 << IPCT_NEW | 1 << IPCT_RELATED) != 0 {
            NEW
        } else {
            UPDATE
        }
    }
}

/// Of a packet that died.
pub mod drop {
    /// `enum skb_drop_reason`.
    pub const REASON: usize = 0;
}
