//! A call that took longer than the limit.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::TupleWords;

/// The number of return addresses in a record.
pub const STACK_DEPTH: usize = 32;

/// One call of a measured function that took too long.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SlowRecord {
    /// [`super::kind::SLOW`].
    pub kind: u8,
    /// [`crate::latency::Function`].
    pub function: u8,
    /// The outcome, numbered as the function's outcomes are.
    pub outcome: u8,
    /// The netfilter hook: 0 PRE_ROUTING, 3 LOCAL_OUT.
    pub hook: u8,
    /// The CPU.
    pub cpu: u16,
    /// [`SlowFlags`].
    pub flags: u16,
    /// Monotonic time when the function was entered.
    pub time_ns: u64,
    /// The duration.
    pub duration_ns: u64,
    /// Inode number of the network namespace; zero if it belongs to none.
    pub netns: u32,
    /// Index of the interface: the one the packet arrived on, or the one it leaves by.
    pub ifindex: u32,
    /// The process on whose stack it happened.
    pub pid: u32,
    /// The number of valid bytes of the stack, or a negative errno.
    pub stack_bytes: i32,
    /// The process's name.
    pub comm: [u8; 16],
    /// The original direction, or for a packet without an entry the tuple of its headers; zeros if there is no flow.
    pub tuple: TupleWords,
    /// Return addresses, the innermost first.
    pub stack: [u64; STACK_DEPTH],
}

impl SlowRecord {
    /// The return addresses that the kernel found, the innermost first.
    pub fn addresses(&self) -> &[u64] {
        let bytes = usize::try_from(self.stack_bytes).unwrap_or(0);
        self.stack.get(..bytes / 8).unwrap_or(&self.stack)
    }
}

const _: () = assert!(size_of::<SlowRecord>() == 96 + STACK_DEPTH * 8);

/// Bits of [`SlowRecord::flags`].
#[derive(Clone, Copy, Debug)]
pub struct SlowFlags;

impl SlowFlags {
    /// The hook and the interface are known.
    pub const HOOK: u16 = 1 << 0;
    /// The process is known: it happened on the process's own stack.
    pub const TASK: u16 = 1 << 1;
}
