//! The values that parts of a line are made from, as words.

use super::written::Key;
use crate::timeouts::{Setter, State, TimeoutSource};

/// All values that `refresh` and `timeout_source::json` write.
#[inline(always)]
pub(super) fn source_key(requested: Option<u32>, source: &TimeoutSource<'_>) -> Key<4> {
    let [setter, governing, value] = source_words(source);
    let requested = requested.map_or(0, |jiffies| u64::from(jiffies) | 1 << 32);
    Key([setter, governing, value, requested])
}

/// All values that `timeout_source::json` writes: those that are never freed during a trace by their addresses.
#[inline(always)]
pub(super) fn source_words(source: &TimeoutSource<'_>) -> [u64; 3] {
    let setter = match source.setter {
        Setter::Defaults => 0,
        Setter::LostPolicy => 1,
        Setter::Policy([]) => 2,
        Setter::Fixed => 3,
        Setter::Netlink => 4,
        Setter::Unknown => 5,
        Setter::Policy(names) | Setter::Nftables(names) => names.as_ptr() as u64,
    };
    let governing = source.governing.map_or(0, |governing| {
        let state: *const State = governing.state;
        let reduction = governing.reduction.map_or(0, |reduction| reduction as u64 + 1);
        // Addresses of user space have at most 57 bits.
        state as u64 | reduction << 60
    });
    [setter, governing, source.value_ms.unwrap_or(u64::MAX)]
}

/// All values that `task` writes.
#[inline(always)]
pub(super) fn task_words(pid: u32, comm: [u8; 16]) -> [u64; 3] {
    let comm = u128::from_ne_bytes(comm);
    [u64::from(pid), comm as u64, (comm >> 64) as u64]
}
