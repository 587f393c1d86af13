//! Causes: one record per occurrence, and one count per cause, which is exact even if records are lost.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::TupleWords;

/// The number of kernel stack frames in a cause.
pub const STACK_FRAMES: usize = 10;
/// The size of a text in bytes.
pub const TEXT_BYTES: usize = 64;
/// The number of numbers, whose meaning depends on the cause.
pub const NUMBERS: usize = 8;

/// One occurrence of a cause.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CauseRecord {
    /// [`super::kind::CAUSE`].
    pub kind: u8,
    /// [`CauseFamily`].
    pub family: u8,
    /// The code of the cause: see [`what`].
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
    /// The netlink port that requested it, if any.
    pub portid: u32,
    /// The process that caused it.
    pub pid: u32,
    /// `ct->status`.
    pub status: u32,
    /// The rest of `ct->timeout`: negative if it has expired.
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
    /// Numbers whose meaning depends on the cause.
    pub numbers: [u64; NUMBERS],
    /// The process's name.
    pub comm: [u8; 16],
    /// The flow: its original direction, or for a packet without an entry the tuple of its headers.
    pub tuple: TupleWords,
    /// The other tuple, where there is one: the reply direction.
    pub other: TupleWords,
    /// The tuples of the entry that was inserted first.
    pub rival: [TupleWords; 2],
    /// The kernel stack, the innermost frame first: return addresses.
    pub stack: [u64; STACK_FRAMES],
    /// The kernel's text, up to the first zero.
    pub text: [u8; TEXT_BYTES],
}

const _: () = assert!(size_of::<CauseRecord>() == 448);

impl CauseRecord {
    /// Returns the key of its count, without the stack if the stack is not part of the cause.
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

/// The key of a count.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CauseKey {
    /// [`CauseFamily`].
    pub family: u8,
    /// The code of the cause: see [`what`].
    pub what: u8,
    /// An addition to the code, for some causes.
    pub more: u16,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// An address in the kernel that distinguishes causes of the same code.
    pub detail: u64,
    /// The kernel stack, if it distinguishes causes.
    pub stack: [u64; STACK_FRAMES],
}

/// The count of a cause.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CauseCount {
    /// The number of occurrences.
    pub count: u64,
    /// The kernel's text.
    pub text: [u8; TEXT_BYTES],
}

/// [`CauseKey`] as words: the type of the map's key for a reader.
pub type CauseKeyWords = [u64; size_of::<CauseKey>() / 8];
/// [`CauseCount`] as words.
pub type CauseCountWords = [u64; size_of::<CauseCount>() / 8];

/// A family of causes, one per topic.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CauseFamily {
    /// A packet that conntrack marked INVALID.
    Invalid = 1,
    /// An entry that was deleted from the table.
    Delete = 2,
    /// An entry that could not be allocated, or only by evicting another.
    Full = 3,
    /// An entry that was not inserted, or only after a clash.
    Insert = 4,
    /// NAT's search for addresses and ports.
    Nat = 5,
    /// An event that did not reach a listener.
    Lost = 6,
    /// A packet that was dropped before its entry was in the table.
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

    /// Converts the byte in a record.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|family| *family as u8 == byte)
    }

    /// The name of the topic, in options and output.
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

/// Codes of causes, by family.
pub mod what {
    /// The protocol's tracker logged a reason.
    pub const INVALID_LOGGED: u8 = 1;
    /// The packet left without an entry, and no tracker logged a reason.
    pub const INVALID_NO_REASON: u8 = 2;

    /// `nf_ct_delete` deletes an entry from the table.
    pub const DELETE: u8 = 1;

    /// The table is full, and no entry could be evicted.
    pub const FULL_REFUSED: u8 = 1;
    /// The kernel has no memory for an entry.
    pub const FULL_NO_MEMORY: u8 = 2;
    /// The table is full, and another entry was evicted.
    pub const FULL_EVICTED: u8 = 3;

    /// The protocol allows no clash: the packet is dropped.
    pub const INSERT_CLASH_REFUSED: u8 = 1;
    /// The reply is taken too: the packet is dropped.
    pub const INSERT_CLASH_UNRESOLVED: u8 = 2;
    /// The packet continues with the entry that was inserted first.
    pub const INSERT_CLASH_RESOLVED: u8 = 3;
    /// The entry is in the table for its reply only, for one second.
    pub const INSERT_CLASH_HIDDEN: u8 = 4;
    /// The entry was deleted before.
    pub const INSERT_DYING: u8 = 5;
    /// The hash bucket has too many entries.
    pub const INSERT_CHAIN: u8 = 6;
    /// The entry is already in the table.
    pub const INSERT_ALREADY_INSERTED: u8 = 7;
    /// The kernel refused an entry created by a program: the detail is the errno.
    pub const INSERT_CREATE: u8 = 8;

    /// NAT changed nothing and searched nothing.
    pub const NAT_UNCHANGED: u8 = 1;
    /// The first tuple is free.
    pub const NAT_FIRST_TRY: u8 = 2;
    /// NAT tried several tuples.
    pub const NAT_SEARCHED: u8 = 3;
    /// No tuple is free: NAT uses the last one, and the packet is dropped later.
    pub const NAT_EXHAUSTED: u8 = 4;
    /// A closed connection was evicted for its tuple.
    pub const NAT_EVICTED: u8 = 5;
    /// The setup failed.
    pub const NAT_REFUSED: u8 = 6;
    /// A tuple is taken: counted once per attempt, in addition to the result.
    pub const NAT_TAKEN: u8 = 7;

    /// A listener's buffer was full.
    pub const LOST_OVERRUN: u8 = 1;
    /// The same, and the kernel sends the event later.
    pub const LOST_DEFERRED: u8 = 2;
    /// There was no memory for a message.
    pub const LOST_NO_MESSAGE: u8 = 3;

    /// The packet was freed, with the kernel's drop reason.
    pub const DROP_FREED: u8 = 1;
    /// The entry was released, and no packet was freed with a reason.
    pub const DROP_RELEASED: u8 = 2;
    /// Conntrack dropped the packet because of a clash.
    pub const DROP_CLASH: u8 = 3;
    /// Conntrack dropped the packet because its entry could not be inserted.
    pub const DROP_NOT_INSERTED: u8 = 4;
    /// Conntrack dropped the packet because no entry could be allocated.
    pub const DROP_NO_ENTRY: u8 = 5;
}

/// Bits of [`CauseRecord::flags`].
#[derive(Clone, Copy, Debug)]
pub struct CauseFlags;

impl CauseFlags {
    /// The process is known: it happened on the process's own stack.
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

/// Indices in [`CauseRecord::numbers`] of the values that the kernel compares a TCP segment with (`tcp_in_window`,
/// net/netfilter/nf_conntrack_proto_tcp.c).
pub mod window {
    /// The segment's first sequence number.
    pub const SEQ: usize = 0;
    /// The sequence number after its last.
    pub const END: usize = 1;
    /// Its acknowledgement number.
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
    /// A netlink port requested it.
    pub const BY_NETLINK: u16 = 1 << 0;
    /// Its timeout had expired.
    pub const EXPIRED: u16 = 1 << 1;
    /// No reply was seen.
    pub const UNREPLIED: u16 = 1 << 2;
}

/// Indices in [`CauseRecord::numbers`] of a NAT search.
pub mod nat {
    /// The duration.
    pub const DURATION_NS: usize = 0;
    /// The number of attempts, and in the upper half how many of the tuples are taken.
    pub const ATTEMPTS: usize = 1;
    /// `flags` of `struct nf_nat_range2`.
    pub const FLAGS: usize = 2;
    /// Its ports: the lowest, and in the next 16 bits the highest.
    pub const PORTS: usize = 3;
    /// Its lowest address, in two words like in a tuple.
    pub const MIN: usize = 4;
    /// Its highest address.
    pub const MAX: usize = 6;

    /// The key of a search's count, in addition to the result: the powers of two of its attempts and nanoseconds.
    pub const fn steps(attempts: u64, duration: u64) -> u64 {
        attempts | duration << 8
    }
}

/// Kinds of events.
pub mod lost {
    /// `IPCT_NEW` or `IPCT_RELATED`.
    pub const NEW: u16 = 1;
    /// Any other event.
    pub const UPDATE: u16 = 2;
    /// `IPCT_DESTROY`.
    pub const DESTROY: u16 = 3;

    /// Returns the kind of these events (`ctnetlink_conntrack_event`, net/netfilter/nf_conntrack_netlink.c; the bits
    /// are those of `enum ip_conntrack_events`).
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

/// Indices in [`CauseRecord::numbers`] of a dropped packet.
pub mod drop {
    /// `enum skb_drop_reason`.
    pub const REASON: usize = 0;
}
