//! Operations on entries.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::TupleWords;

/// One operation on one entry.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct EntryRecord {
    /// [`super::kind::ENTRY`].
    pub kind: u8,
    /// [`EntryKind`].
    pub what: u8,
    /// The CPU.
    pub cpu: u16,
    /// [`EntryFlags`].
    pub flags: u16,
    /// The zone.
    pub zone: u16,
    /// Monotonic time when the operation began.
    pub time_ns: u64,
    /// The entry's address; zero if the allocation failed.
    pub ct: u64,
    /// When the entry was allocated or first seen; with [`Self::ct`] this names the flow.
    pub birth_ns: u64,
    /// The function's result: a verdict, a boolean or a negative errno.
    pub ret: i32,
    /// Duration of the operation.
    pub duration_ns: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// `ct->mark`.
    pub mark: u32,
    /// `ct->status` when the operation began.
    pub status_before: u32,
    /// `ct->status` when it ended.
    pub status_after: u32,
    /// `ct->timeout` when the operation began.
    pub timeout_before_jiffies: u32,
    /// `ct->timeout` when it ended.
    pub timeout_after_jiffies: u32,
    /// The jiffies when the record was written.
    pub now_jiffies: u32,
    /// `extra_jiffies` of a refresh.
    pub refresh_jiffies: u32,
    /// The netlink port that requested it, if any.
    pub portid: u32,
    /// The process that did it.
    pub pid: u32,
    /// The protocol's state when the operation began.
    pub state_before: u8,
    /// The protocol's state when it ended.
    pub state_after: u8,
    /// Zero.
    pub reserved: [u8; 6],
    /// The process's name.
    pub comm: [u8; 16],
    /// The original direction.
    pub orig: TupleWords,
    /// The reply direction.
    pub reply: TupleWords,
}

const _: () = assert!(size_of::<EntryRecord>() == 184);

/// The operation of an [`EntryRecord`].
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// `__nf_conntrack_alloc` failed: no entry was allocated.
    AllocFailed = 1,
    /// `__nf_conntrack_hash_insert`: the entry is in the table from now on.
    Insert = 2,
    /// `__nf_conntrack_confirm`: the first packet leaves the host, or reaches its process.
    Confirm = 3,
    /// `nf_conntrack_hash_check_insert`: created by ctnetlink or a BPF program.
    CheckInsert = 4,
    /// `__nf_ct_refresh_acct` outside a packet's traversal.
    Refresh = 5,
    /// `nf_ct_delete`: deleted from the table.
    Delete = 6,
    /// `nf_ct_destroy`: destroyed after its last reference.
    Destroy = 7,
    /// `__nf_ct_change_timeout`: ctnetlink or a BPF program sets the timeout.
    ChangeTimeout = 8,
}

impl EntryKind {
    /// Converts the byte in a record.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::AllocFailed,
            2 => Self::Insert,
            3 => Self::Confirm,
            4 => Self::CheckInsert,
            5 => Self::Refresh,
            6 => Self::Delete,
            7 => Self::Destroy,
            8 => Self::ChangeTimeout,
            _ => return None,
        })
    }

    /// The name in output and documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AllocFailed => "alloc_failed",
            Self::Insert => "insert",
            Self::Confirm => "confirm",
            Self::CheckInsert => "check_insert",
            Self::Refresh => "refresh",
            Self::Delete => "delete",
            Self::Destroy => "destroy",
            Self::ChangeTimeout => "change_timeout",
        }
    }
}

/// Bits of [`EntryRecord::flags`].
#[derive(Clone, Copy, Debug)]
pub struct EntryFlags;

impl EntryFlags {
    /// [`EntryRecord::ret`] and the values after are known.
    pub const RETURNED: u16 = 1 << 0;
    /// The process is known: it happened on the process's own stack.
    pub const TASK: u16 = 1 << 1;
    /// The birth of the flow was not seen: this is its first sight.
    pub const FIRST_SIGHT: u16 = 1 << 2;
    /// The confirm found a clash and assigned another entry to the packet.
    pub const OTHER_ENTRY: u16 = 1 << 3;
    /// [`EntryRecord::duration_ns`] is known.
    pub const DURATION: u16 = 1 << 4;
    /// Used inside the kernel only: the filter rejected it.
    pub const REJECTED: u16 = 1 << 15;
}
