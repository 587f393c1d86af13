//! Why an entry could not be had, or only at another's expense.

use rsct_common::record::what;

use crate::kernel::text::Symbols;

use super::cause::{Trace, causes};

causes! {
    /// Who pays for a full table.
    FullCause {
        Refused "refused"
            "the table was full, and early_drop found no entry to evict in the 8 hash buckets that it looks at: they are empty, or their entries are ASSURED; the packet is dropped"
            "raise net.netfilter.nf_conntrack_max, shorten the timeouts of what fills the table (`rsct timeout show`), or leave it untracked (NOTRACK); if few entries are ASSURED, set net.netfilter.nf_conntrack_buckets to nf_conntrack_max or less, so that its buckets are not empty";
        MadeRoom "made_room"
            "the table was full, and an entry that is not ASSURED was thrown out for this one"
            "raise net.netfilter.nf_conntrack_max; `rsct why delete` shows who was thrown out";
        NoMemory "no_memory"
            "the kernel had no memory for an entry: the packet is dropped"
            "look at free memory and the slab nf_conntrack in /proc/slabinfo";
        Unknown "unknown"
            "a code that this rsct does not know"
            "rsct and its programs are of different versions: please report it";
    }
}

impl FullCause {
    pub(super) fn of(trace: &Trace<'_>, _: &Symbols) -> Self {
        match trace.key.what {
            what::FULL_REFUSED => Self::Refused,
            what::FULL_EVICTED => Self::MadeRoom,
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
