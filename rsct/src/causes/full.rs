//! Failed allocations of entries, and allocations that evicted another entry.

use rsct_common::record::what;

use crate::kernel::text::Symbols;

use super::family::{Evidence, causes};

causes! {
    /// The result of an allocation in a full table.
    FullCause {
        Refused "refused"
            "the table was full, and early_drop found no entry to evict in the 8 hash buckets that it checks: they are empty or hold only ASSURED entries; the packet is dropped"
            "raise net.netfilter.nf_conntrack_max, shorten the timeouts of the entries that fill the table (`rsct timeout show`), or exclude traffic with NOTRACK; if few entries are ASSURED, set net.netfilter.nf_conntrack_buckets to at most nf_conntrack_max, so that fewer buckets are empty";
        Evicted "evicted"
            "the table was full, and the kernel evicted an entry that is not ASSURED for this one"
            "raise net.netfilter.nf_conntrack_max, and run `rsct why delete` to see the evicted entries";
        NoMemory "no_memory"
            "the kernel had no memory for an entry; the packet is dropped"
            "check free memory, and the slab nf_conntrack in /proc/slabinfo";
        Unknown "unknown"
            "the eBPF programs reported a code that this rsct does not know"
            "report a bug: rsct and its eBPF programs are of different versions";
    }
}

impl FullCause {
    pub(super) fn of(evidence: &Evidence<'_>, _: &Symbols) -> Self {
        match evidence.key.what {
            what::FULL_REFUSED => Self::Refused,
            what::FULL_EVICTED => Self::Evicted,
            what::FULL_NO_MEMORY => Self::NoMemory,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_may_have_entries_that_early_drop_does_not_look_at() {
        let meaning = FullCause::Refused.meaning();
        assert!(
            meaning.contains("8 hash buckets") && !meaning.contains("all entries"),
            "{meaning}"
        );
        assert!(FullCause::Refused.advice().contains("nf_conntrack_buckets"));
    }
}
