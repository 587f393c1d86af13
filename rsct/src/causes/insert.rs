//! Why an entry was not inserted, or not as it was meant to be.

use rsct_common::record::what;

use crate::kernel::text::Symbols;

use super::cause::{Trace, causes};

causes! {
    /// What became of an entry that was to be inserted.
    InsertCause {
        ClashResolved "clash_resolved"
            "two first packets of one flow had an entry each, and the second goes on with the first one's"
            "nothing is lost; a client that sends two datagrams at once does this, as resolvers do (`options single-request` in resolv.conf)";
        ClashHidden "clash_hidden"
            "two first packets of one flow were translated differently, and the second one's entry is in the table for its reply only, for one second: no listing shows it"
            "have the flow's packets translated alike: a rule that turns by turns (numgen, statistic) or by random sends them apart";
        ClashRefused "clash_refused"
            "another entry has the tuple already, and this kernel's tracker of the flow's protocol (named with each flow) resolves no clash: the packet is dropped, and its sender has to send it again"
            "look at both entries: the same packet comes twice, or NAT gave two connections one tuple: give the rule more ports or addresses (`rsct why nat`)";
        ClashUnresolved "clash_unresolved"
            "another flow's entry has the reply's tuple already: the packet is dropped"
            "NAT gave two flows one tuple: give the rule more ports or addresses (`rsct why nat`)";
        Dying "dying"
            "the entry was given up while its first packet was still under way: the packet is dropped"
            "the table was flushed, or a module or a queue's program went, while the packet waited: it comes again";
        ChainTooLong "chain_too_long"
            "the hash bucket has more than 50 to 80 entries: the packet is dropped"
            "raise net.netfilter.nf_conntrack_buckets to the size of the table; if it is that already, somebody aims at one bucket";
        Twice "twice"
            "the entry is in the table already, as a copy of its packet was quicker: the packet is dropped"
            "a bridge or a multicast route sends the first packet twice through conntrack";
        Exists "exists"
            "a program wants an entry whose tuple another one has"
            "look at the task that is named: it is to update the entry (conntrack -U), or to leave out what NAT chose";
        ChainTooLongByHand "chain_too_long_by_hand"
            "a program wants an entry in a hash bucket that has more than 50 to 80 of them"
            "raise net.netfilter.nf_conntrack_buckets to the size of the table";
        ExtensionsChanged "extensions_changed"
            "a program's entry leans on a helper or timeout policy whose module is being unloaded"
            "have the program ask again";
        RefusedByHand "refused_by_hand"
            "a program wants an entry, and the kernel refuses it for another reason"
            "look at the task that is named, and at what it was told";
        Unknown "unknown"
            "a code that this rsct does not know"
            "rsct and its programs are of different versions: please report it";
    }
}

impl InsertCause {
    /// `nf_conntrack_hash_check_insert` (net/netfilter/nf_conntrack_core.c) says by its errno what it found.
    pub(super) fn of(trace: &Trace<'_>, _: &Symbols) -> Self {
        const EEXIST: u64 = libc::EEXIST as u64;
        const ENOSPC: u64 = libc::ENOSPC as u64;
        const EAGAIN: u64 = libc::EAGAIN as u64;
        match trace.key.what {
            what::INSERT_CLASH_RESOLVED => Self::ClashResolved,
            what::INSERT_CLASH_HIDDEN => Self::ClashHidden,
            what::INSERT_CLASH_REFUSED => Self::ClashRefused,
            what::INSERT_CLASH_UNRESOLVED => Self::ClashUnresolved,
            what::INSERT_DYING => Self::Dying,
            what::INSERT_CHAIN => Self::ChainTooLong,
            what::INSERT_ALREADY_INSERTED => Self::Twice,
            what::INSERT_CREATE => match trace.key.detail {
                EEXIST => Self::Exists,
                ENOSPC => Self::ChainTooLongByHand,
                EAGAIN => Self::ExtensionsChanged,
                _ => Self::RefusedByHand,
            },
            _ => Self::Unknown,
        }
    }

    /// Whether the kernel counts it as `insert_failed`.
    pub fn is_failure(self) -> bool {
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
    fn no_protocol_is_said_to_refuse_clashes_on_every_kernel() {
        let meaning = InsertCause::ClashRefused.meaning();
        for protocol in ["TCP", "UDP", "SCTP", "DCCP", "ICMP"] {
            assert!(!meaning.contains(protocol), "{meaning}");
        }
    }
}
