//! The results of NAT's search for a free tuple.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use rsct_common::{
    Tuple,
    record::{CauseRecord, nat, what},
};

use crate::kernel::text::Symbols;

use super::family::{Evidence, causes};

causes! {
    /// The result of a search.
    NatCause {
        Exhausted "exhausted"
            "every tuple that NAT tried is taken: it uses the last one, and the packet is dropped at its confirm"
            "give the rule more ports or addresses (`masquerade to :1024-65535`, `snat to` a range of addresses), shorten the timeouts of the entries that hold the ports (`rsct timeout show`), or spread the destinations";
        Searched "searched"
            "the first tuple is taken, and NAT found another one"
            "ignore it while the attempts are few; if they are many, the range is nearly full: give the rule more ports or addresses, or the flag `random`";
        Evicted "evicted"
            "NAT evicted a connection in TIME_WAIT to use its tuple"
            "give the rule more ports or addresses, or lower net.netfilter.nf_conntrack_tcp_timeout_time_wait: closed connections fill the range";
        FirstTry "first_try"
            "the first tuple that NAT tried is free"
            "ignore it";
        Unchanged "unchanged"
            "no rule translates the flow, or the rule keeps its addresses and ports"
            "ignore it";
        Refused "refused"
            "NAT could not set up the translation because memory is short; the packet is dropped"
            "check free memory in /proc/meminfo";
        Taken "taken"
            "a tuple that NAT tried is taken (one count per attempt of all searches)"
            "look at the searches: `exhausted` and `searched`";
        Unknown "unknown"
            "the eBPF programs reported a code that this rsct does not know"
            "report a bug: rsct and its eBPF programs are of different versions";
    }
}

impl NatCause {
    pub(super) fn of(evidence: &Evidence<'_>, _: &Symbols) -> Self {
        match evidence.key.what {
            what::NAT_EXHAUSTED => Self::Exhausted,
            what::NAT_SEARCHED => Self::Searched,
            what::NAT_EVICTED => Self::Evicted,
            what::NAT_FIRST_TRY => Self::FirstTry,
            what::NAT_UNCHANGED => Self::Unchanged,
            what::NAT_REFUSED => Self::Refused,
            what::NAT_TAKEN => Self::Taken,
            _ => Self::Unknown,
        }
    }
}

/// A histogram: the count between each power of two and the next. Step 0 is zero itself.
pub(crate) type Steps = BTreeMap<u8, u64>;

/// Returns the least and the greatest number of a step.
pub(crate) fn range_of(step: u8) -> (u64, u64) {
    match step {
        0 => (0, 0),
        step => {
            let least = 1_u64 << (step - 1).min(63);
            (least, least - 1 + least)
        }
    }
}

/// Durations and attempts of searches: counted in the kernel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread {
    /// By attempts.
    pub attempts: Steps,
    /// By nanoseconds.
    pub nanoseconds: Steps,
}

impl Spread {
    /// Adds `count` searches with the key [`nat::steps`].
    pub(super) fn add(&mut self, steps: u64, count: u64) {
        *self.attempts.entry(steps as u8).or_default() += count;
        *self.nanoseconds.entry((steps >> 8) as u8).or_default() += count;
    }
}

/// A search, from a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    /// The duration.
    pub duration_ns: u64,
    /// The number of tuples that NAT tried.
    pub attempts: u32,
    /// The number of taken tuples among them.
    pub taken: u32,
    /// True if NAT translates the source, false for the destination.
    pub source: bool,
    /// `NF_NAT_RANGE_*` bits.
    pub flags: u32,
    /// The requested addresses, if the rule sets any.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// The requested ports or ids, if the rule sets any.
    pub ports: Option<(u16, u16)>,
}

/// include/uapi/linux/netfilter/nf_nat.h
const MAP_IPS: u32 = 1 << 0;
const PROTO_SPECIFIED: u32 = 1 << 1;

/// The flags' names in nft and iptables.
pub(crate) const FLAGS: &[(u32, &str)] = &[
    (1 << 2, "random"),
    (1 << 3, "persistent"),
    (1 << 4, "fully-random"),
    (1 << 5, "shifted"),
    (1 << 6, "netmap"),
];

impl Search {
    /// Reads it from a record.
    pub(crate) fn of(record: &CauseRecord) -> Self {
        const IPV6: u16 = 10;
        let number = |index: usize| record.numbers[index];
        let flags = number(nat::FLAGS) as u32;
        let is_v6 = Tuple::from_words(record.tuple).family() == IPV6;
        let address = |index: usize| {
            let mut octets = [0; 16];
            octets[..8].copy_from_slice(&number(index).to_ne_bytes());
            octets[8..].copy_from_slice(&number(index + 1).to_ne_bytes());
            if is_v6 {
                IpAddr::V6(Ipv6Addr::from(octets))
            } else {
                IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]))
            }
        };
        let ports = number(nat::PORTS);
        Self {
            duration_ns: number(nat::DURATION_NS),
            attempts: number(nat::ATTEMPTS) as u32,
            taken: (number(nat::ATTEMPTS) >> 32) as u32,
            source: record.more == 0,
            flags,
            addresses: (flags & MAP_IPS != 0).then(|| (address(nat::MIN), address(nat::MAX))),
            ports: (flags & PROTO_SPECIFIED != 0).then_some((ports as u16, (ports >> 16) as u16)),
        }
    }

    /// The names of the flags that are set.
    pub(crate) fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        let flags = self.flags;
        FLAGS
            .iter()
            .filter(move |(bit, _)| flags & bit != 0)
            .map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_a_range() {
        assert_eq!(range_of(0), (0, 0));
        assert_eq!(range_of(1), (1, 1));
        assert_eq!(range_of(2), (2, 3));
        assert_eq!(range_of(5), (16, 31));
        assert_eq!(range_of(64), (1 << 63, u64::MAX));
    }

    #[test]
    fn steps_add_up() {
        let mut spread = Spread::default();
        spread.add(nat::steps(1, 12), 3);
        spread.add(nat::steps(2, 12), 4);
        assert_eq!(spread.attempts, Steps::from([(1, 3), (2, 4)]));
        assert_eq!(spread.nanoseconds, Steps::from([(12, 7)]));
    }
}
