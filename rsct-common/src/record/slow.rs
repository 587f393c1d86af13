//! Something that took longer than was asked for.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::TupleWords;

/// How many return addresses a record holds.
pub const STACK_DEPTH: usize = 32;

/// One call of a measured function that took too long.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SlowRecord {
    /// [`super::kind::SLOW`].
    pub kind: u8,
    /// [`crate::latency::Function`].
    pub function: u8,
    /// What came of it, as the function's outcomes are numbered.
    pub outcome: u8,
    /// The netfilter hook: 0 PRE_ROUTING, 3 LOCAL_OUT.
    pub hook: u8,
    /// The CPU.
    pub cpu: u16,
    /// [`SlowFlags`].
    pub flags: u16,
    /// Monotonic time when the function was entered.
    pub time_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// Inode number of the network namespace; zero where it belongs to none.
    pub netns: u32,
    /// Index of the interface: the one the packet came in by, or the one it leaves by.
    pub ifindex: u32,
    /// The process on whose stack it happened.
    pub pid: u32,
    /// How many bytes of the stack are filled in, or a negative errno.
    pub stack_bytes: i32,
    /// The process's name.
    pub comm: [u8; 16],
    /// The original direction, or for a packet without an entry what its headers say; zeroes where there is no flow.
    pub tuple: TupleWords,
    /// Return addresses, the innermost first.
    pub stack: [u64; STACK_DEPTH],
}

const _: () = assert!(size_of::<SlowRecord>() == 96 + STACK_DEPTH * 8);

/// Bits of [`SlowRecord::flags`].
#[derive(Clone, Copy, Debug)]
pub struct SlowFlags;

impl SlowFlags {
    /// The hook and the interface are known.
    pub const HOOK: u16 = 1 << 0;
    /// The process is known: it happened on a process's own stack.
    pub const TASK: u16 = 1 << 1;
}
