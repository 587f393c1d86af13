//! Failed inserts of entries, and clashes.

use rsct_common::record::what;

use crate::kernel::text::Symbols;

use super::family::{Evidence, causes};

causes! {
    /// The result of an insert.
    InsertCause {
        ClashResolved "clash_resolved"
            "two first packets of one flow had an entry each, and the second packet uses the first one's entry"
            "ignore it: no packet is lost; a client that sends two datagrams at once causes it, as resolvers do (`options single-request` in resolv.conf avoids it)";
        ClashHidden "clash_hidden"
            "two first packets of one flow were translated differently; the second one's entry is in the table for its reply only, for one second, and no listing shows it"
            "translate all packets of a flow alike: remove numgen, statistic or random selection from the rule";
        ClashRefused "clash_refused"
            "another entry already has the tuple, and this kernel's tracker of the flow's protocol (named with each flow) resolves no clashes; the packet is dropped, and its sender must send it again"
            "compare both entries: if the same packet came twice, ignore it; if NAT gave two connections one tuple, give the rule more ports or addresses (`rsct why nat`)";
        ClashUnresolved "clash_unresolved"
            "another flow's entry already has the reply's tuple; the packet is dropped"
            "give the NAT rule more ports or addresses (`rsct why nat`): it gave two flows one tuple";
        Dying "dying"
            "the entry was deleted before its first packet passed all hooks; the packet is dropped"
            "check for a table flush, an unloaded module or a stopped NFQUEUE program; the sender sends the packet again";
        ChainTooLong "chain_too_long"
            "the hash bucket has too many entries (the limit is 50 to 80); the packet is dropped"
            "raise net.netfilter.nf_conntrack_buckets to the size of the table; if it has that size already, check for an attack on one bucket";
        AlreadyInserted "already_inserted"
            "the entry is already in the table, because a copy of its packet was faster; the packet is dropped"
            "check for a bridge or a multicast route that sends the first packet through conntrack twice";
        Exists "exists"
            "a program requested an entry whose tuple another entry has"
            "look at the named task: let it update the entry (`conntrack -U`), or not set the tuple that NAT chose";
        CreateChainTooLong "create_chain_too_long"
            "a program requested an entry in a hash bucket with too many entries (the limit is 50 to 80)"
            "raise net.netfilter.nf_conntrack_buckets to the size of the table";
        ExtensionsChanged "extensions_changed"
            "a program requested an entry with a helper or timeout policy whose module is being unloaded"
            "run the program again";
        CreateRefused "create_refused"
            "a program requested an entry, and the kernel refused it for another reason"
            "look at the named task, and at the error that it got";
        Unknown "unknown"
            "the eBPF programs reported a code that this rsct does not know"
            "report a bug: rsct and its eBPF programs are of different versions";
    }
}

impl InsertCause {
    /// `nf_conntrack_hash_check_insert` (net/netfilter/nf_conntrack_core.c) returns its reason as errno.
    pub(super) fn of(evidence: &Evidence<'_>, _: &Symbols) -> Self {
        const EEXIST: u64 = libc::EEXIST as u64;
        const ENOSPC: u64 = libc::ENOSPC as u64;
        const EAGAIN: u64 = libc::EAGAIN as u64;
        match evidence.key.what {
            what::INSERT_CLASH_RESOLVED => Self::ClashResolved,
            what::INSERT_CLASH_HIDDEN => Self::ClashHidden,
            what::INSERT_CLASH_REFUSED => Self::ClashRefused,
            what::INSERT_CLASH_UNRESOLVED => Self::ClashUnresolved,
            what::INSERT_DYING => Self::Dying,
            what::INSERT_CHAIN => Self::ChainTooLong,
            what::INSERT_ALREADY_INSERTED => Self::AlreadyInserted,
            what::INSERT_CREATE => match evidence.key.detail {
                EEXIST => Self::Exists,
                ENOSPC => Self::CreateChainTooLong,
                EAGAIN => Self::ExtensionsChanged,
                _ => Self::CreateRefused,
            },
            _ => Self::Unknown,
        }
    }

    /// True if the kernel counts it as `insert_failed`.
    pub(crate) fn is_failure(self) -> bool {
        matches!(
            self,
            Self::ClashRefused | Self::ClashUnresolved | Self::Dying | Self::ChainTooLong
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux 7.3 resolves clashes that 6.18 refuses.
    #[test]
    fn the_meaning_of_clash_refused_names_no_protocol() {
        let meaning = InsertCause::ClashRefused.meaning();
        for protocol in ["TCP", "UDP", "SCTP", "DCCP", "ICMP"] {
            assert!(!meaning.contains(protocol), "{meaning}");
        }
    }
}
