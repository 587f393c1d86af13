//! Meaning and range of each setting.

use super::short;
use crate::{
    kernel::hz::Hz,
    timeouts::{PROTOCOLS, State},
};

/// Values that a setting accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// None: the kernel only reports it.
    ReadOnly,
    /// A number in this range.
    Numbers(u64, u64),
    /// A duration in seconds, limited by the kernel's tick counter.
    Seconds,
    /// A number of bytes, at most another setting's.
    BytesUpTo(&'static str),
    /// A number of bytes, at least another setting's.
    BytesFrom(&'static str),
}

/// Description of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its short name.
    pub short: &'static str,
    /// The accepted values.
    pub bounds: Bounds,
    /// True if all network namespaces share it, and only the initial one can set it
    /// (nf_conntrack_standalone_init_sysctl() in net/netfilter/nf_conntrack_standalone.c).
    pub first_only: bool,
    /// Its meaning, for users.
    pub meaning: &'static str,
    /// The protocol and state, if it is a state's timeout.
    pub timeout_of: Option<(&'static str, &'static str)>,
}

impl Bounds {
    /// The range, unless it depends on another setting.
    pub(crate) fn numbers(self, hz: Option<Hz>) -> Option<(u64, u64)> {
        match self {
            Self::Numbers(least, most) => Some((least, most)),
            // With 0, entries would expire at once.
            Self::Seconds => hz.map(|hz| (1, hz.longest_timeout_seconds().into())),
            Self::ReadOnly | Self::BytesUpTo(_) | Self::BytesFrom(_) => None,
        }
    }
}

impl Known {
    /// The description of the setting with this full name.
    pub(crate) fn of(full: &str) -> Option<Self> {
        let short = short(full);
        let known = KNOWN.iter().find(|known| known.short == short).copied();
        known.or_else(|| timeout(short))
    }

    /// Every described setting that is not a state's timeout.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        KNOWN.iter()
    }
}

/// A state's timeout setting. If two states share one setting, the first protocol's.
fn timeout(short: &str) -> Option<Known> {
    let mut states = PROTOCOLS
        .iter()
        .flat_map(|protocol| protocol.states.iter().map(move |state| (protocol, state)));
    let (protocol, state) = states.find(|(_, state): &(_, &State)| state.sysctl == Some(short))?;
    Some(Known {
        short: state.sysctl?,
        bounds: Bounds::Seconds,
        first_only: false,
        meaning: state.meaning,
        timeout_of: Some((protocol.name, state.name)),
    })
}

const SWITCH: Bounds = Bounds::Numbers(0, 1);
const BYTE: Bounds = Bounds::Numbers(0, u8::MAX as u64);
const INT: u64 = i32::MAX as u64;

const fn known(short: &'static str, bounds: Bounds, meaning: &'static str) -> Known {
    Known {
        short,
        bounds,
        first_only: false,
        meaning,
        timeout_of: None,
    }
}

const fn first_only(short: &'static str, bounds: Bounds, meaning: &'static str) -> Known {
    Known {
        first_only: true,
        ..known(short, bounds, meaning)
    }
}

/// In output order.
const KNOWN: &[Known] = &[
    known(
        "count",
        Bounds::ReadOnly,
        "number of entries, including expired ones that are not yet reaped",
    ),
    first_only(
        "max",
        Bounds::Numbers(0, INT),
        "limit of entries per network namespace; 0: limited only by memory",
    ),
    first_only(
        "buckets",
        Bounds::Numbers(1, INT),
        "buckets of the hash table shared by all network namespaces; rounded up to whole pages",
    ),
    first_only("expect_max", Bounds::Numbers(1, INT), "limit of expectations"),
    known("acct", SWITCH, "new entries count their packets and bytes"),
    known(
        "timestamp",
        SWITCH,
        "new entries record their start time, and their destroy events the stop time",
    ),
    known(
        "events",
        Bounds::Numbers(0, 2),
        "send ctnetlink events; 0: never, 1: for all new entries, 2: for entries created while a listener exists",
    ),
    known(
        "checksum",
        SWITCH,
        "verify checksums; packets with a wrong one are INVALID",
    ),
    known(
        "log_invalid",
        BYTE,
        "protocol number whose INVALID packets are logged; 255: all protocols, 0: none",
    ),
    known(
        "tcp_be_liberal",
        SWITCH,
        "TCP packets outside of the window are accepted; only RSTs are INVALID",
    ),
    known(
        "tcp_ignore_invalid_rst",
        SWITCH,
        "an RST outside of the window is not INVALID",
    ),
    known(
        "tcp_loose",
        SWITCH,
        "TCP connections without an observed SYN are tracked",
    ),
    known(
        "tcp_max_retrans",
        BYTE,
        "unanswered retransmissions after which a TCP entry gets the retrans timeout",
    ),
    known(
        "dccp_loose",
        SWITCH,
        "DCCP connections without an observed REQUEST are tracked",
    ),
    known(
        "helper",
        SWITCH,
        "helpers are assigned by port, without a rule (before Linux 6.0)",
    ),
    known(
        "frag6_timeout",
        Bounds::Seconds,
        "time to keep fragments of an incomplete IPv6 packet",
    ),
    known(
        "frag6_high_thresh",
        Bounds::BytesFrom("frag6_low_thresh"),
        "limit in bytes of memory for IPv6 fragments; further fragments are rejected",
    ),
    known(
        "frag6_low_thresh",
        Bounds::BytesUpTo("frag6_high_thresh"),
        "bytes of IPv6 fragments below which new ones are accepted again",
    ),
    known(
        "nf_flowtable_tcp_timeout",
        Bounds::Seconds,
        "time without a packet after which a flowtable returns a TCP flow to conntrack",
    ),
    known(
        "nf_flowtable_udp_timeout",
        Bounds::Seconds,
        "time without a packet after which a flowtable returns a UDP flow to conntrack",
    ),
    known(
        "nf_hooks_lwtunnel",
        SWITCH,
        "packets of lightweight tunnels pass the netfilter hooks, in all network namespaces; cannot be turned off again",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysctls::full;

    #[test]
    fn every_setting_is_found_by_its_full_name() {
        for known in Known::all() {
            let full = full(known.short).unwrap();
            assert_eq!(Known::of(&full).as_ref(), Some(known));
        }
        let timeout = Known::of("net.netfilter.nf_conntrack_udp_timeout").unwrap();
        assert_eq!(timeout.timeout_of, Some(("udp", "unreplied")));
        assert_eq!(timeout.bounds, Bounds::Seconds);
        assert_eq!(Known::of("net.netfilter.nf_conntrack_unheard_of"), None);
    }

    #[test]
    fn every_states_setting_is_known() {
        for state in PROTOCOLS.iter().flat_map(|protocol| protocol.states) {
            if let Some(name) = state.sysctl_name() {
                assert!(
                    Known::of(&name).is_some_and(|known| known.timeout_of.is_some()),
                    "{name}"
                );
            }
        }
    }
}
