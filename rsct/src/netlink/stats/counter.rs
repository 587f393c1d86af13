//! The kernel's counters (`enum ctattr_stats_cpu` in include/uapi/linux/netfilter/nfnetlink_conntrack.h,
//! `struct ip_conntrack_stat` in include/linux/netfilter/nf_conntrack_common.h).

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Its attribute's number.
    pub number: u16,
    /// Its name, as `conntrack -S` prints it.
    pub name: &'static str,
    /// Its meaning.
    pub meaning: &'static str,
}

const fn counter(number: u16, name: &'static str, meaning: &'static str) -> Counter {
    Counter {
        number,
        name,
        meaning,
    }
}

/// The counters with a name, by number.
pub(crate) const KNOWN: [Counter; 15] = [
    counter(1, "searched", "entries compared in lookups (old kernels)"),
    counter(
        2,
        "found",
        "lookups by NAT for a free tuple that found the tuple in use",
    ),
    counter(3, "new", "entries allocated (old kernels)"),
    counter(4, "invalid", "packets that could not be tracked: INVALID"),
    counter(5, "ignore", "packets that already had an entry (old kernels)"),
    counter(6, "delete", "entries deleted (old kernels)"),
    counter(7, "delete_list", "entries put on the dying list (old kernels)"),
    counter(8, "insert", "entries inserted by user space or by a BPF program"),
    counter(
        9,
        "insert_failed",
        "entries not inserted: their tuple was already in the table, or they were dying",
    ),
    counter(
        10,
        "drop",
        "packets dropped because their entry could not be created or inserted",
    ),
    counter(11, "early_drop", "entries evicted from a full table for new ones"),
    counter(
        12,
        "error",
        "ICMP and ICMPv6 packets that are malformed or refer to no known flow",
    ),
    counter(
        13,
        "search_restart",
        "lookups restarted because the hash chain changed",
    ),
    counter(
        14,
        "clash_resolve",
        "packets that lost the race to insert their flow, and got the winner's entry",
    ),
    counter(
        15,
        "chaintoolong",
        "entries not inserted because their hash chain was too long",
    ),
];

/// A counter's name; `None` for those of a newer kernel.
pub(crate) fn name(number: u16) -> Option<&'static str> {
    let index = usize::from(number).checked_sub(1)?;
    KNOWN.get(index).map(|counter| counter.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_is_found_by_its_number() {
        for counter in KNOWN {
            assert_eq!(name(counter.number), Some(counter.name));
        }
        assert_eq!(name(0), None);
        assert_eq!(name(16), None);
    }
}
