//! The counts of the programs of `rsct latency`: their maps, rows and keys.

mod bucket;
mod list;

pub use bucket::{BUCKETS, PARTS, bounds, bucket_of};
pub use list::{ARGUMENTS, FIELDS};

/// A histogram in a map, one CPU's share: a count for each bucket, followed by [`SUM`] and [`MAX`].
pub type Tally = [u64; BUCKETS + 2];

/// The index in a [`Tally`] of the sum of all values.
pub const SUM: usize = BUCKETS;
/// The index of the largest value, exact.
pub const MAX: usize = BUCKETS + 1;

/// A function whose duration is measured.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// `nf_conntrack_in`: a packet's traversal.
    ConntrackIn = 0,
    /// `__nf_conntrack_confirm`: a flow's first packet puts its entry into the table.
    Confirm = 1,
    /// `nf_nat_setup_info`: the search for a free tuple.
    NatSetup = 2,
    /// `nf_conntrack_lock`, where it is not inlined: taking one of the table's locks.
    Lock = 3,
    /// `nf_conntrack_double_lock`, where it is not inlined: taking both locks of a pair.
    DoubleLock = 4,
    /// `gc_worker`: a run of garbage collection.
    Gc = 5,
    /// No function, but the table's locks (`nf_conntrack_locks`): waiting for one held by another CPU.
    Contention = 6,
    /// A kernel function that does nothing (`bpf_fentry_test1`): the cost of measuring itself.
    Nothing = 7,
}

impl Function {
    /// Every function that is shown.
    pub const ALL: [Self; 7] = [
        Self::ConntrackIn,
        Self::Confirm,
        Self::NatSetup,
        Self::Lock,
        Self::DoubleLock,
        Self::Contention,
        Self::Gc,
    ];

    /// Converts the byte in a record.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|function| *function as u8 == byte)
    }

    /// The name of the kernel function.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConntrackIn => "nf_conntrack_in",
            Self::Confirm => "__nf_conntrack_confirm",
            Self::NatSetup => "nf_nat_setup_info",
            Self::Lock => "nf_conntrack_lock",
            Self::DoubleLock => "nf_conntrack_double_lock",
            Self::Gc => "gc_worker",
            Self::Contention => "nf_conntrack_locks",
            Self::Nothing => "bpf_fentry_test1",
        }
    }

    /// Its first row in the map of tallies.
    pub const fn first_row(self) -> u32 {
        match self {
            Self::ConntrackIn => 0,
            Self::Confirm => HOOKS,
            Self::NatSetup => HOOKS + 4,
            Self::Lock => HOOKS + 8,
            Self::DoubleLock => HOOKS + 9,
            Self::Gc => HOOKS + 10,
            Self::Contention => HOOKS + 14,
            Self::Nothing => HOOKS + 15,
        }
    }
}

/// The number of rows for netfilter's hooks, one each for `nf_conntrack_in`: more than there are outcomes.
pub const HOOKS: u32 = 8;

/// Further values of garbage collection: rows after those of [`Function::Gc`].
pub mod gc {
    use super::Function;

    /// Buckets that a run scanned.
    pub const BUCKETS: u32 = Function::Gc.first_row() + 1;
    /// Entries that it deleted.
    pub const REAPED: u32 = Function::Gc.first_row() + 2;
    /// The lateness of each of them, in jiffies.
    pub const LATE: u32 = Function::Gc.first_row() + 3;
}

/// A row that is never written: the initial value of a new key's tally.
pub const ZEROES: u32 = Function::Nothing.first_row() + 1;
/// The number of rows.
pub const ROWS: u32 = ZEROES + 1;

/// The key that durations are grouped by; the program's global `BY`.
pub mod by {
    /// The outcome.
    pub const OUTCOME: u32 = 0;
    /// The IP protocol.
    pub const PROTO: u32 = 1;
    /// The network namespace, by its inode number.
    pub const NETNS: u32 = 2;
    /// Netfilter's hook.
    pub const HOOK: u32 = 3;
    /// The CPU, which needs no key: each counts separately.
    pub const CPU: u32 = 4;
}

/// The outcome of a traversal of `nf_conntrack_in`, named as in `rsct trace`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassOutcome {
    /// The packet has a new entry.
    Created = 0,
    /// The packet belongs to an entry of the table.
    Tracked = 1,
    /// The packet continues without an entry.
    Invalid = 2,
    /// The packet is dropped.
    Dropped = 3,
    /// Conntrack itself skips the packet, such as neighbour discovery.
    Untracked = 4,
}

impl PassOutcome {
    /// The names in the rows' order.
    pub const NAMES: [&'static str; 5] = ["created", "tracked", "invalid", "dropped", "untracked"];
}

/// The outcome of `__nf_conntrack_confirm`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmOutcome {
    /// The entry is in the table.
    Inserted = 0,
    /// Another entry was inserted first, and the packet continues with that.
    Clash = 1,
    /// The packet is dropped.
    Dropped = 2,
}

impl ConfirmOutcome {
    /// The names in the rows' order.
    pub const NAMES: [&'static str; 3] = ["inserted", "clash", "dropped"];
}

/// The outcome of `nf_nat_setup_info`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatOutcome {
    /// The entry has its translation, possibly none.
    Bound = 0,
    /// It has none, and the packet is dropped.
    Failed = 1,
}

impl NatOutcome {
    /// The names in the rows' order.
    pub const NAMES: [&'static str; 2] = ["bound", "failed"];
}

/// Counts without durations, per function and CPU.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Packets that already had their entry in `nf_conntrack_in`: a second traversal, which does nothing.
    TrackedAlready = 0,
    /// Packets that a rule had made untracked: nothing to do either.
    UntrackedAlready = 1,
    /// As [`Self::TrackedAlready`], for packets that could have had a template: another program recognises them at
    /// exit, and a count is written by one program.
    TrackedAlreadyAfterAll = 2,
    /// Entries that garbage collection deleted before their timeout, because the table was nearly full.
    EvictedByGc = 3,
    /// Timed calls that were entered.
    Entered = 4,
    /// Of those, calls that returned.
    Left = 5,
}

/// The number of counts of a function.
pub const COUNTS: usize = 6;
/// The number of words of a function in the map of counts, which begin with the counts: the rest is the programs'
/// state of calls in progress.
pub const STATE_WORDS: usize = COUNTS + 1 + 2 + 3 * 7;

/// The number of clock reads of the program that measures their cost.
pub const CLOCK_READS: u32 = 64;

/// The names of the settings' globals, which the loader sets in addition to offsets.
pub mod setting {
    /// The key that durations are grouped by: see [`super::by`].
    pub const BY: &str = "LATENCY_BY";
    /// The duration in nanoseconds from which on a call gets a record; zero for no records.
    pub const SLOWER_THAN_NS: &str = "LATENCY_SLOWER_THAN_NS";
    /// The address of the table's locks.
    pub const LOCKS: &str = "LATENCY_LOCKS";
    /// Their size in bytes.
    pub const LOCKS_BYTES: &str = "LATENCY_LOCKS_BYTES";
    /// The address of the lock that stands for all of them.
    pub const ALL_LOCK: &str = "LATENCY_ALL_LOCK";
    /// The number of buckets of the table.
    pub const TABLE_BUCKETS: &str = "LATENCY_TABLE_BUCKETS";
}

const _: () = assert!(PassOutcome::NAMES.len() <= HOOKS as usize);
