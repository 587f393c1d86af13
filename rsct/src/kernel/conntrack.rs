//! Whether conntrack is there, and whether it sees this namespace's packets.
//!
//! Being loaded is not enough: conntrack hooks into a namespace's packet path only once a rule there
//! asks for it (`nf_ct_netns_get` in net/netfilter/nf_conntrack_proto.c). Until then there is
//! nothing to trace, which looks like a tracer that does not work.

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
pub enum Conntrack {
    /// Neither built in nor loaded.
    Absent,
    /// There, in the kernel or as a module.
    Present(Present),
    /// Unknown, for this reason.
    Unknown(&'static str),
}

/// Conntrack's state in the current network namespace.
#[derive(Debug)]
pub struct Present {
    /// Entries now (`nf_conntrack_count`).
    pub entries: Option<u32>,
    /// Entries at most (`nf_conntrack_max`).
    pub limit: Option<u32>,
    /// Whether a module (`Some(true)`) or built in; `None` where sysfs does not tell.
    pub module: Option<bool>,
    /// Whether IPv4 packets pass it. Before Linux 5.14, and without CONFIG_NETFILTER_NETLINK_HOOK,
    /// nothing tells.
    pub ipv4: Result<bool, HookDumpError>,
    /// Whether IPv6 packets pass it.
    pub ipv6: Result<bool, HookDumpError>,
}

impl Conntrack {
    /// Looks at the current namespace.
    pub fn here() -> Self {
        // The directory belongs to nf_conntrack and nf_log; this file is conntrack's own.
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

/// One of conntrack's settings in the current namespace, `nf_conntrack_acct` for one. `None` where
/// this kernel has it not.
pub fn sysctl(name: &str) -> Option<u32> {
    fs::read_to_string(Path::new(SYSCTLS).join(name))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Only a loaded module has an `initstate`; a built-in one shows its parameters at most
/// (kernel/module/sysfs.c, kernel/params.c).
fn module(dir: &str) -> Option<bool> {
    let dir = Path::new(dir);
    dir.exists().then(|| dir.join("initstate").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_namespace_can_be_asked() {
        if let Conntrack::Present(present) = Conntrack::here() {
            assert!(present.limit.is_some());
            for error in [present.ipv4.err(), present.ipv6.err()].into_iter().flatten() {
                assert!(error.to_string().starts_with("cannot list"), "{error}");
            }
        }
    }
}
