//! The reason of a delete, found by the callers of `nf_ct_delete`.

use rsct_common::record::{
    CauseKey,
    delete::{BY_NETLINK, EXPIRED, UNREPLIED},
};

use crate::kernel::text::Symbols;

use super::family::{Evidence, causes};

causes! {
    /// Why an entry was deleted.
    DeleteCause {
        Expired "expired"
            "garbage collection deleted the entry after its timeout expired"
            "raise the timeout to keep such entries (`rsct timeout show`, `rsct timeout set`); run `rsct latency` to see how late garbage collection runs";
        ExpiredInLookup "expired_in_lookup"
            "a packet, a dump or a reader of /proc found the entry after its timeout expired"
            "raise the timeout to keep such entries (`rsct timeout show`, `rsct timeout set`)";
        Pressure "pressure"
            "the table is over 95 % full, and garbage collection deletes entries that are closing or unreplied"
            "raise net.netfilter.nf_conntrack_max and net.netfilter.nf_conntrack_buckets, or run `rsct why full` to see which entries fill the table";
        EarlyDrop "early_drop"
            "the table was full, and the kernel evicted the entry for a new one, because it was not ASSURED"
            "raise net.netfilter.nf_conntrack_max, or run `rsct why full` to see which entries fill the table";
        Reset "reset"
            "a TCP RST answered the first packet, so there is no connection"
            "check if the server listens, or if a firewall sent the RST";
        Reopened "reopened"
            "a SYN opened the same connection again, and the closed entry was deleted"
            "ignore it: a client reused its port";
        Protocol "protocol"
            "the protocol's tracker deleted the entry"
            "look at the named function: the tracker saw the connection end";
        NatPortReuse "nat_port_reuse"
            "NAT evicted the connection in TIME_WAIT to use its port"
            "widen the port range of the rule, or net.ipv4.ip_local_port_range; run `rsct why nat` to see the search";
        Nat "nat"
            "NAT found that the entry's translation is not valid any more"
            "check for a changed route or address, at the interface and the rule that translates";
        Netlink "netlink"
            "a program deleted the entry through ctnetlink"
            "look at the named task";
        Flush "flush"
            "a program flushed the table, or all entries that match a filter, through ctnetlink"
            "look at the named task";
        NamespaceExit "namespace_exit"
            "the network namespace was destroyed"
            "ignore it: the container or namespace was removed";
        MasqueradeDown "masquerade_down"
            "the interface that masquerades the flow went down or lost its address"
            "keep the interface's address (check its DHCP client, or ppp), or use SNAT to a fixed address";
        ModuleUnloaded "module_unloaded"
            "a module that the entry depends on was unloaded"
            "keep the module loaded";
        ExtensionsChanged "extensions_changed"
            "the entry was deleted right after its insertion, because the module of one of its extensions was unloaded"
            "ignore it: a helper or timeout module was unloaded at that moment";
        IpVs "ip_vs"
            "IPVS dropped the connection that the entry belongs to"
            "check the timeouts of `ipvsadm`, and its conntrack setting";
        Other "other"
            "another function of the kernel deleted the entry"
            "look at the named function";
        Unknown "unknown"
            "the kernel does not name the functions that deleted the entry"
            "set kernel.kptr_restrict to 0 or 1 and run the command again; a kernel without CONFIG_KALLSYMS names no functions";
    }
}

impl DeleteCause {
    /// Determines the cause from the callers of `nf_ct_delete`.
    pub(super) fn of(evidence: &Evidence<'_>, symbols: &Symbols) -> Self {
        let names: Vec<&str> = callers(evidence.key, symbols).collect();
        let named = symbols.names_caller_of("nf_ct_delete", &evidence.key.stack);
        Self::of_named(&names, evidence.key.more, named)
    }

    /// Without names of the callers, only a cause that a name shows is known; every other is unknown.
    fn of_named(callers: &[&str], more: u16, named: bool) -> Self {
        let cause = Self::of_callers(callers, more);
        let shown = match cause {
            Self::Netlink => callers
                .iter()
                .any(|name| name.starts_with("ctnetlink_del_conntrack")),
            Self::ExpiredInLookup | Self::Other => false,
            _ => true,
        };
        if named || shown { cause } else { Self::Unknown }
    }

    fn of_callers(callers: &[&str], more: u16) -> Self {
        let called_by = |part: &str| callers.iter().any(|name| name.starts_with(part));
        let ran_out = more & EXPIRED != 0;
        let first = callers.first().copied().unwrap_or_default();
        if called_by("nf_ct_iterate_") {
            return if called_by("ctnetlink_") || more & BY_NETLINK != 0 {
                Self::Flush
            } else if called_by("nf_conntrack_cleanup_net") || called_by("nf_conntrack_pernet_exit") {
                Self::NamespaceExit
            } else if called_by("iterate_cleanup_work") || called_by("masq_") {
                Self::MasqueradeDown
            } else if called_by("nf_ct_iterate_destroy") {
                Self::ModuleUnloaded
            } else if called_by("nf_conntrack_") && called_by("cleanup_net") {
                Self::NamespaceExit
            } else {
                Self::Other
            };
        }
        if called_by("ctnetlink_del_conntrack") || more & BY_NETLINK != 0 {
            return Self::Netlink;
        }
        if called_by("early_drop") && !ran_out {
            return Self::EarlyDrop;
        }
        if called_by("gc_worker") {
            return if ran_out { Self::Expired } else { Self::Pressure };
        }
        if first == "nf_conntrack_tcp_packet" {
            // A reset deletes only unreplied entries (nf_ct_kill_acct(), a tail call, which the stack does not show).
            return if more & UNREPLIED != 0 {
                Self::Reset
            } else {
                Self::Reopened
            };
        }
        if first.starts_with("nf_nat_inet_fn") {
            return Self::Nat;
        }
        if ran_out {
            return Self::ExpiredInLookup;
        }
        if called_by("nf_nat_setup_info") || called_by("nf_nat_used_tuple") || called_by("get_unique_tuple") {
            return Self::NatPortReuse;
        }
        match first {
            "__nf_conntrack_confirm" => Self::ExtensionsChanged,
            name if name.starts_with("ip_vs_") => Self::IpVs,
            name if name.starts_with("pptp_") || name.ends_with("_packet") => Self::Protocol,
            _ => Self::Other,
        }
    }
}

/// Returns the callers of `nf_ct_delete`, the innermost first.
pub(crate) fn callers<'a>(key: &'a CauseKey, symbols: &'a Symbols) -> impl Iterator<Item = &'a str> + 'a {
    symbols.callers_of("nf_ct_delete", &key.stack)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers observed on real kernels.
    #[test]
    fn each_caller_is_a_cause() {
        let cause = |callers: &[&str], more| DeleteCause::of_callers(callers, more).name();
        assert_eq!(
            cause(&["gc_worker", "process_one_work", "worker_thread"], EXPIRED),
            "expired"
        );
        assert_eq!(
            cause(&["nf_ct_gc_expired", "gc_worker", "process_one_work"], EXPIRED),
            "expired"
        );
        assert_eq!(cause(&["gc_worker", "process_one_work"], 0), "pressure");
        assert_eq!(cause(&["early_drop", "__nf_conntrack_alloc"], 0), "early_drop");
        assert_eq!(
            cause(&["nf_conntrack_tcp_packet", "nf_conntrack_in"], UNREPLIED),
            "reset"
        );
        assert_eq!(cause(&["nf_nat_inet_fn", "nf_hook_slow"], 0), "nat");
        assert_eq!(
            cause(&["nf_conntrack_tcp_packet", "nf_conntrack_in"], 0),
            "reopened"
        );
        assert_eq!(
            cause(&["ctnetlink_del_conntrack", "nfnetlink_rcv_msg"], BY_NETLINK),
            "netlink"
        );
        assert_eq!(
            cause(
                &["nf_ct_iterate_cleanup_net", "ctnetlink_del_conntrack"],
                BY_NETLINK
            ),
            "flush"
        );
        assert_eq!(
            cause(
                &[
                    "nf_ct_iterate_cleanup",
                    "nf_ct_iterate_cleanup_net",
                    "iterate_cleanup_work"
                ],
                0
            ),
            "masquerade_down"
        );
        assert_eq!(
            cause(&["nf_ct_iterate_cleanup_net", "nf_conntrack_cleanup_net_list"], 0),
            "namespace_exit"
        );
        assert_eq!(
            cause(&["nf_ct_gc_expired", "__nf_conntrack_find_get"], EXPIRED),
            "expired_in_lookup"
        );
        assert_eq!(
            cause(&["ct_seq_show", "seq_read_iter"], EXPIRED),
            "expired_in_lookup"
        );
        assert_eq!(
            cause(&["nf_nat_setup_info", "nf_nat_masquerade_ipv4"], 0),
            "nat_port_reuse"
        );
        assert_eq!(cause(&["ip_vs_conn_drop_conntrack"], 0), "ip_vs");
        let unnamed = |callers: &[&str], more| DeleteCause::of_named(callers, more, false).name();
        assert_eq!(unnamed(&[], BY_NETLINK), "unknown");
        assert_eq!(unnamed(&[], EXPIRED), "unknown");
        assert_eq!(unnamed(&[], 0), "unknown");
        assert_eq!(unnamed(&["gc_worker"], EXPIRED), "expired");
        assert_eq!(cause(&["some_module_of_mine"], 0), "other");
        assert_eq!(cause(&[], 0), "other");
    }
}
