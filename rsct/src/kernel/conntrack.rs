//! State of conntrack: loaded or not, and hooked into this namespace or not.
//!
//! Conntrack hooks into a namespace's packet path only when a rule there needs it (`nf_ct_netns_get` in
//! net/netfilter/nf_conntrack_proto.c). Until then there is nothing to trace, which looks like a broken
//! tracer.

use std::fs;
use std::path::Path;

use super::{
    hook_dump::{self, Family, HookDumpError},
    proc,
};

const SYSCTLS: &str = "/proc/sys/net/netfilter";

/// Conntrack in the current network namespace.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum Conntrack {
    /// Neither built in nor loaded.
    Absent,
    /// Built in or loaded.
    Present(Present),
    /// Unknown, for this reason.
    Unknown(&'static str),
}

/// Conntrack's state in the current network namespace.
#[derive(Debug)]
pub(crate) struct Present {
    /// Number of entries (`nf_conntrack_count`).
    pub entries: Option<u32>,
    /// Limit on entries (`nf_conntrack_max`).
    pub limit: Option<u32>,
    /// `Some(true)` for a module, `Some(false)` if built in; `None` if sysfs does not show it.
    pub module: Option<bool>,
    /// True if conntrack handles IPv4 packets. An error before Linux 5.14 and without
    /// CONFIG_NETFILTER_NETLINK_HOOK.
    pub ipv4: Result<bool, HookDumpError>,
    /// True if conntrack handles IPv6 packets.
    pub ipv6: Result<bool, HookDumpError>,
}

impl Conntrack {
    /// Reads the current namespace's state.
    pub(crate) fn here() -> Self {
        // The directory is shared by nf_conntrack and nf_log; this file belongs to nf_conntrack only.
        let limit = Path::new(SYSCTLS).join("nf_conntrack_max");
        if !limit.exists() {
            return proc::settings_missing().map_or(Self::Absent, Self::Unknown);
        }
        Self::Present(Present {
            entries: sysctl("nf_conntrack_count"),
            limit: sysctl("nf_conntrack_max"),
            module: module("/sys/module/nf_conntrack"),
            ipv4: hook_dump::is_hooked(Family::Ipv4, "ipv4_conntrack_in"),
            ipv6: hook_dump::is_hooked(Family::Ipv6, "ipv6_conntrack_in"),
        })
    }
}

/// Value of a conntrack setting in the current namespace, such as `nf_conntrack_acct`. `None` if this kernel
/// does not have it.
pub(crate) fn sysctl(name: &str) -> Option<u32> {
    fs::read_to_string(Path::new(SYSCTLS).join(name))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Only a loaded module has an `initstate`; a built-in one has at most its parameters there
/// (kernel/module/sysfs.c, kernel/params.c).
fn module(dir: &str) -> Option<bool> {
    let dir = Path::new(dir);
    dir.exists().then(|| dir.join("initstate").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_namespace_is_read() {
        if let Conntrack::Present(present) = Conntrack::here() {
            assert!(present.limit.is_some());
            for error in [present.ipv4.err(), present.ipv6.err()].into_iter().flatten() {
                assert!(error.to_string().starts_with("cannot list"), "{error}");
            }
        }
    }
}
