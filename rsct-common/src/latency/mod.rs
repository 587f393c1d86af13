//! What the programs of `rsct latency` count, where, and under which key.

mod bucket;
mod list;

pub use bucket::{BUCKETS, PARTS, bounds, bucket_of};
pub use list::{ARGUMENTS, FIELDS};

/// A histogram as a map has it, a CPU's share: a count for each bucket, and behind them [`SUM`] and [`MAX`].
pub type Tally = [u64; BUCKETS + 2];

/// Where a [`Tally`] has the sum of all values.
pub const SUM: usize = BUCKETS;
/// Where it has the largest, exactly.
pub const MAX: usize = BUCKETS + 1;

/// A function whose duration is measured.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// `nf_conntrack_in`: a packet's pass.
    ConntrackIn = 0,
    /// `__nf_conntrack_confirm`: a flow's first packet puts its entry into the table.
    Confirm = 1,
    /// `nf_nat_setup_info`: the search for a tuple that nobody uses.
    NatSetup = 2,
    /// `nf_conntrack_lock`, where it is called: taking one of the table's locks.
    Lock = 3,
    /// `nf_conntrack_double_lock`, where it is a function: taking both of a pair.
    DoubleLock = 4,
    /// `gc_worker`: a run of garbage collection.
    Gc = 5,
    /// No function, but the table's locks (`nf_conntrack_locks`): waiting for one while another CPU has it.
    Contention = 6,
    /// The kernel's own function that does nothing (`bpf_fentry_test1`): what measuring itself shows.
    Nothing = 7,
}

impl Function {
    /// Every one of them that is shown.
    pub const ALL: [Self; 7] = [
        Self::ConntrackIn,
        Self::Confirm,
        Self::NatSetup,
        Self::Lock,
        Self::DoubleLock,
        Self::Contention,
        Self::Gc,
    ];

    /// Reads the byte of a record.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|function| *function as u8 == byte)
    }

    /// As the kernel calls it.
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

/// Rows for netfilter's hooks, of which `nf_conntrack_in` has one each: more than there are outcomes.
pub const HOOKS: u32 = 8;

/// What garbage collection is measured by, beside its runs' durations: rows behind [`Function::Gc`]'s.
pub mod gc {
    use super::Function;

    /// Buckets that a run looked at.
    pub const BUCKETS: u32 = Function::Gc.first_row() + 1;
    /// Entries that it took out.
    pub const REAPED: u32 = Function::Gc.first_row() + 2;
    /// How late each of them was, in jiffies.
    pub const LATE: u32 = Function::Gc.first_row() + 3;
}

/// A row that nobody writes to: what a new key's tally begins with.
pub const ZEROES: u32 = Function::Nothing.first_row() + 1;
/// How many rows there are.
pub const ROWS: u32 = ZEROES + 1;

/// By what durations are told apart; the program's global `BY`.
pub mod by {
    /// What came of it.
    pub const OUTCOME: u32 = 0;
    /// The IP protocol.
    pub const PROTO: u32 = 1;
    /// The network namespace, by its inode number.
    pub const NETNS: u32 = 2;
    /// Netfilter's hook.
    pub const HOOK: u32 = 3;
    /// The CPU, for which nothing has to be done: each counts for itself.
    pub const CPU: u32 = 4;
}

/// What came of a pass through `nf_conntrack_in`; the names are those of `rsct trace`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassOutcome {
    /// It has a new entry.
    Created = 0,
    /// It belongs to an entry of the table.
    Tracked = 1,
    /// It goes on without an entry.
    Invalid = 2,
    /// It does not go on.
    Dropped = 3,
    /// Conntrack itself leaves it alone, such as neighbour discovery.
    Untracked = 4,
}

impl PassOutcome {
    /// The names in the rows' order.
    pub const NAMES: [&'static str; 5] = ["created", "tracked", "invalid", "dropped", "untracked"];
}

/// What came of `__nf_conntrack_confirm`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmOutcome {
    /// The entry is in the table.
    Inserted = 0,
    /// Another entry was there first, and the packet goes on with that.
    Clash = 1,
    /// The packet does not go on.
    Dropped = 2,
}

impl ConfirmOutcome {
    /// The names in the rows' order.
    pub const NAMES: [&'static str; 3] = ["inserted", "clash", "dropped"];
}

/// What came of `nf_nat_setup_info`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatOutcome {
    /// The entry has its translation, be it none.
    Bound = 0,
    /// It has none, and the packet does not go on.
    Failed = 1,
}

impl NatOutcome {
    /// The names in the rows' order.
    pub const NAMES: [&'static str; 2] = ["bound", "failed"];
}

/// What is only counted, per function and CPU.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Packets that came to `nf_conntrack_in` with their entry: a second pass, on which nothing is done.
    TrackedAlready = 0,
    /// Packets that came as untracked, by a rule: nothing is done either.
    UntrackedAlready = 1,
    /// As [`Self::TrackedAlready`], of those that could have come with a template: they are told apart on their way out, by
    /// another program, and a count is one program's.
    TrackedAlreadyAfterAll = 2,
    /// Entries that garbage collection took out before their time, as the table was nearly full.
    EvictedByGc = 3,
    /// Calls that were entered, and are to be timed.
    Entered = 4,
    /// Calls that were left, of those.
    Left = 5,
}

/// How many counts a function has.
pub const COUNTS: usize = 6;
/// How many words the map of counts has for a function, which begin with the counts: the rest is what the programs
/// remember of calls under way.
pub const STATE_WORDS: usize = COUNTS + 1 + 2 + 3 * 7;

/// How often the clock is read by the program that measures what that takes.
pub const CLOCK_READS: u32 = 64;

/// What the loader tells the programs beside where things are: the names of their globals.
pub mod setting {
    /// By what durations are told apart: see [`super::by`].
    pub const BY: &str = "LATENCY_BY";
    /// From how many nanoseconds on a pass gets a record; zero for none.
    pub const SLOWER_THAN_NS: &str = "LATENCY_SLOWER_THAN_NS";
    /// Where the table's locks are.
    pub const LOCKS: &str = "LATENCY_LOCKS";
    /// How many bytes they take.
    pub const LOCKS_BYTES: &str = "LATENCY_LOCKS_BYTES";
    /// Where the one is that stands for all of them.
    pub const ALL_LOCK: &str = "LATENCY_ALL_LOCK";
    /// How many buckets the table has.
    pub const TABLE_BUCKETS: &str = "LATENCY_TABLE_BUCKETS";
}

const _: () = assert!(PassOutcome::NAMES.len() <= HOOKS as usize);
