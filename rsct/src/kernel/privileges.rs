//! Compares the privileges of this process with those that tracing needs.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

/// Inode of the initial user namespace (`PROC_USER_INIT_INO` in include/linux/proc_ns.h). In any other one,
/// bpf(2) ignores capabilities.
const INITIAL_USER_NAMESPACE: u64 = 0xefff_fffd;

/// A capability that part of rsct needs; the numbers are those of include/uapi/linux/capability.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    /// Rotate files in a directory of another user.
    DacOverride = 1,
    /// Read the open files of other users' processes.
    DacReadSearch = 2,
    /// Dump conntrack's entries (`nfnetlink_rcv`).
    NetAdmin = 12,
    /// Inspect other processes.
    SysPtrace = 19,
    /// Open a module's BTF and enter another network namespace.
    SysAdmin = 21,
    /// Load tracing programs and attach them.
    Perfmon = 38,
    /// Load programs and create their maps.
    Bpf = 39,
}

impl Capability {
    /// Those that commands need from the start.
    pub(crate) const ALL: [Self; 4] = [Self::Bpf, Self::Perfmon, Self::NetAdmin, Self::SysAdmin];

    /// The name as in capabilities(7).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }

    /// The operation that needs it.
    pub(crate) fn needed_for(self) -> &'static str {
        match self {
            Self::DacOverride => "rotating files in a directory of another user",
            Self::DacReadSearch => "reading the open files of other users' processes",
            Self::NetAdmin => "dumping conntrack's entries",
            Self::SysPtrace => "inspecting other processes",
            Self::SysAdmin => "fentry on a module's functions, other network namespaces",
            Self::Perfmon => "attaching programs to kernel functions",
            Self::Bpf => "loading programs",
        }
    }
}

/// A set of capabilities, as capset(2) has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CapabilitySet(pub u64);

impl CapabilitySet {
    /// The set of these capabilities.
    pub(crate) const fn of(capabilities: &[Capability]) -> Self {
        let mut set = 0;
        let mut index = 0;
        while index < capabilities.len() {
            set |= 1 << capabilities[index] as u32;
            index += 1;
        }
        Self(set)
    }

    /// The capabilities of both sets.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether it contains a capability.
    pub(crate) fn has(self, capability: Capability) -> bool {
        self.0 >> capability as u32 & 1 == 1
    }

    /// The capabilities that are also in another set.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// Privileges of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Privileges {
    effective: CapabilitySet,
    /// True in the initial user namespace. A rootless container is in another, where capabilities do not
    /// apply to the kernel's own objects.
    pub initial_user_namespace: bool,
}

impl Privileges {
    /// Effective privileges of the calling process.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let effective = parse_effective(&fs::read_to_string("/proc/self/status")?)
            .ok_or_else(|| io::Error::other("/proc/self/status has no line CapEff"))?;
        let initial_user_namespace = match fs::metadata("/proc/self/ns/user") {
            Ok(namespace) => namespace.ino() == INITIAL_USER_NAMESPACE,
            // A kernel without user namespaces has only the initial one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        Ok(Self {
            effective,
            initial_user_namespace,
        })
    }

    /// The effective capabilities.
    pub(crate) fn effective(&self) -> CapabilitySet {
        self.effective
    }

    /// Returns whether this capability is held. CAP_SYS_ADMIN includes the two that were split off from it
    /// (`bpf_capable` and `perfmon_capable` in include/linux/capability.h).
    pub(crate) fn has(self, capability: Capability) -> bool {
        let split_off = matches!(capability, Capability::Bpf | Capability::Perfmon);
        self.effective.has(capability) || (split_off && self.effective.has(Capability::SysAdmin))
    }
}

fn parse_effective(status: &str) -> Option<CapabilitySet> {
    let digits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(digits.trim(), 16).ok().map(CapabilitySet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(effective: u64) -> Privileges {
        Privileges {
            effective: CapabilitySet(effective),
            initial_user_namespace: true,
        }
    }

    #[test]
    fn effective_capabilities_are_parsed() {
        // grep Cap /proc/self/status, as root in a container.
        let status = "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n";
        assert_eq!(parse_effective(status), Some(CapabilitySet(0xa804_25fb)));
        assert_eq!(parse_effective("CapPrm:\t00000000a80425fb\n"), None);
        assert!(Privileges::of_this_process().is_ok());
    }

    #[test]
    fn a_set_contains_what_it_was_made_of() {
        let set = CapabilitySet::of(&[Capability::NetAdmin, Capability::Bpf]);
        assert_eq!(set, CapabilitySet(1 << 12 | 1 << 39));
        assert!(set.has(Capability::Bpf) && !set.has(Capability::Perfmon));
        assert_eq!(set.and(CapabilitySet(1 << 39)), CapabilitySet(1 << 39));
    }

    #[test]
    fn a_capability_is_held_by_itself_or_as_part_of_sys_admin() {
        use Capability::{Bpf, NetAdmin, Perfmon, SysAdmin};
        let held = |effective: u64| -> Vec<Capability> {
            let all = [Bpf, Perfmon, NetAdmin, SysAdmin].into_iter();
            all.filter(|capability| with(effective).has(*capability))
                .collect()
        };
        assert_eq!(held(0), []);
        assert_eq!(held(1 << 21), [Bpf, Perfmon, SysAdmin]);
        assert_eq!(held(1 << 39 | 1 << 38 | 1 << 12), [Bpf, Perfmon, NetAdmin]);
        assert_eq!(held(u64::MAX), [Bpf, Perfmon, NetAdmin, SysAdmin]);
    }
}
