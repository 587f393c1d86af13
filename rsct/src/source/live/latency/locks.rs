//! Addresses of the table's locks, by which a contended lock is identified.

use crate::{
    kernel::{btf::KernelTypes, symbols},
    probe::hooks::LATENCY_HOOKS,
};

/// Addresses of the table's locks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Locks {
    /// The array's address.
    pub(super) each: u64,
    /// Its length.
    pub(super) bytes: u64,
    /// The lock that excludes all others.
    pub(super) all: u64,
}

impl Locks {
    /// Looks the addresses up.
    pub(super) fn of(types: &KernelTypes) -> Result<Self, &'static str> {
        const UNKNOWN: &str = "this kernel does not show the address of nf_conntrack_locks";
        /// `CONNTRACK_LOCKS` (include/net/netfilter/nf_conntrack_core.h).
        const COUNT: u64 = 1024;
        let names = ["nf_conntrack_locks", "nf_conntrack_locks_all_lock"];
        let found = symbols::addresses("nf_conntrack", &names).map_err(|_| UNKNOWN)?;
        let [Some(each), all] = found[..] else {
            return Err(UNKNOWN);
        };
        let size = types
            .struct_size("spinlock")
            .map_err(|_| "this kernel's BTF does not have the size of a spinlock")?;
        Ok(Self {
            each,
            bytes: COUNT * u64::from(size),
            // No lock has address 0.
            all: all.unwrap_or(0),
        })
    }
}

/// Hooks not to attach: without the addresses, a contended lock cannot be identified.
pub(super) fn left_out(locks: &Result<Locks, &'static str>) -> Vec<(&'static str, &'static str)> {
    let Err(why) = locks else { return Vec::new() };
    let slow_paths = LATENCY_HOOKS
        .iter()
        .map(|hook| hook.function)
        .filter(|function| function.ends_with("queued_spin_lock_slowpath"));
    slow_paths.map(|function| (function, *why)).collect()
}
