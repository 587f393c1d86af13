//! Drops of packets whose entry was never in the table.

use rsct_common::record::{CauseKey, what};

use crate::kernel::text::Symbols;

use super::family::{Evidence, causes};

causes! {
    /// Where a packet was dropped.
    DropCause {
        Rule "rule"
            "a rule of nftables or iptables, or another netfilter hook, dropped the packet"
            "find the rule at the named hook: read the counters in `nft -a list ruleset`, or run `nft monitor trace` with `meta nftrace set 1`";
        ReversePath "reverse_path"
            "the reverse path filter dropped the packet: the route to its source uses another interface, or there is none"
            "set net.ipv4.conf.IFACE.rp_filter and net.ipv4.conf.all.rp_filter to 2 (loose) or 0, or fix the route to the source";
        NoRoute "no_route"
            "the host has no route to the destination, or does not forward"
            "add the route (`ip route get DST from SRC iif IFACE` prints the kernel's decision), or enable net.ipv4.ip_forward or net.ipv6.conf.all.forwarding";
        Address "address"
            "the kernel does not route the packet's addresses: a martian source, or an invalid destination"
            "run `ip route get DST from SRC iif IFACE`, and set net.ipv4.conf.all.log_martians=1 to log such packets";
        Policy "policy"
            "the IPsec policy does not allow the packet"
            "check `ip xfrm policy` and `ip xfrm state`";
        Queue "queue"
            "the packet was dropped by NFQUEUE (its program's verdict, no program, or a full queue), or after it"
            "check /proc/net/netfilter/nfnetlink_queue; `queue ... bypass` accepts packets if there is no program";
        Clash "clash"
            "conntrack dropped the packet because another entry has its tuple"
            "run `rsct why insert` to see both entries";
        NotInserted "not_inserted"
            "conntrack dropped the packet because its entry could not be inserted"
            "run `rsct why insert` for the reason";
        NoEntry "no_entry"
            "conntrack dropped the packet before it had an entry: the table is full, memory is short, or the entry that it reopens is still closing"
            "run `rsct why full` to see which entries fill the table, or raise net.netfilter.nf_conntrack_max";
        ClashResolved "clash_resolved"
            "the packet was not dropped: it uses the entry of the packet that was first"
            "run `rsct why insert` to see both entries";
        Invalid "invalid"
            "the protocol's tracker rejected the packet: it continues without an entry, as INVALID"
            "run `rsct why invalid` for the reason";
        Other "other"
            "the kernel dropped the packet in another place"
            "look at the named reason and function";
        Consumed "consumed"
            "the packet was not dropped: a tunnel, a socket or a queue consumed it, and its entry was released"
            "look at the named functions";
        Unnamed "unknown_functions"
            "the kernel dropped the packet and does not name the functions that did it"
            "set kernel.kptr_restrict to 0 or 1 and run the command again; a kernel without CONFIG_KALLSYMS names no functions";
        Unknown "unknown"
            "the eBPF programs reported a code that this rsct does not know"
            "report a bug: rsct and its eBPF programs are of different versions";
    }
}

impl DropCause {
    pub(super) fn of(evidence: &Evidence<'_>, symbols: &Symbols) -> Self {
        match evidence.key.what {
            what::DROP_CLASH => Self::Clash,
            what::DROP_NOT_INSERTED => Self::NotInserted,
            what::DROP_NO_ENTRY => Self::NoEntry,
            what::DROP_RELEASED => Self::released(evidence.key, symbols).if_named(evidence.key, symbols),
            what::DROP_FREED => Self::freed(evidence.key, symbols).if_named(evidence.key, symbols),
            _ => Self::Unknown,
        }
    }

    /// Without a name of any caller, the cause is [`Self::Unnamed`].
    fn if_named(self, key: &CauseKey, symbols: &Symbols) -> Self {
        match self {
            Self::Consumed | Self::Other if symbols.functions(&key.stack).next().is_none() => Self::Unnamed,
            cause => cause,
        }
    }

    fn released(key: &CauseKey, symbols: &Symbols) -> Self {
        let by = |name: &str| path(key, symbols).any(|function| function == name);
        if by("__nf_ct_resolve_clash") || by("nf_ct_resolve_clash") {
            Self::ClashResolved
        } else if by("nf_conntrack_in") {
            Self::Invalid
        } else {
            Self::Consumed
        }
    }

    /// Uses the kernel's drop reason, or, if that is not specific, the functions that freed the packet.
    fn freed(key: &CauseKey, symbols: &Symbols) -> Self {
        let path: Vec<&str> = path(key, symbols).collect();
        Self::of_reason(symbols.drop_reason(key.more).unwrap_or_default(), &path)
    }

    fn of_reason(reason: &str, path: &[&str]) -> Self {
        match reason {
            "IP_RPFILTER" => return Self::ReversePath,
            "IP_INNOROUTES" | "IP_OUTNOROUTES" => return Self::NoRoute,
            "IP_INADDRERRORS" | "IP_INVALID_DEST" | "IP_INVALID_SOURCE" | "IP_LOCAL_SOURCE"
            | "IP_LOCALNET" => return Self::Address,
            "XFRM_POLICY" => return Self::Policy,
            _ => {}
        }
        let by = |begin: &str| path.iter().any(|function| function.starts_with(begin));
        if by("nft_do_chain") || by("ipt_do_table") || by("ip6t_do_table") {
            Self::Rule
        } else if by("nfqnl_") || by("nf_queue") || by("nf_reinject") {
            Self::Queue
        } else if reason == "NETFILTER_DROP" || by("nf_hook_slow") || by("nft_do_chain") {
            Self::Rule
        } else if by("ip_error") || by("ip6_pkt_drop") {
            Self::NoRoute
        } else {
            Self::Other
        }
    }
}

/// Functions that free packets and entries on behalf of their callers, and the probe's own.
const FREEING: &[&str] = &[
    "nf_ct_destroy",
    "nf_conntrack_destroy",
    "skb_release_head_state",
    "skb_release_all",
    "__kfree_skb",
    "kfree_skb_reason",
    "sk_skb_reason_drop",
    "kfree_skb_list_reason",
    "__traceiter_kfree_skb",
];

/// Returns the functions that freed the packet or entry, the innermost first.
pub(crate) fn path<'a>(key: &'a CauseKey, symbols: &'a Symbols) -> impl Iterator<Item = &'a str> {
    symbols
        .functions(&key.stack)
        .map(|place| place.function)
        .filter(|name| !name.starts_with("bpf_") && !name.starts_with("__bpf_") && !FREEING.contains(name))
}

/// Returns the netfilter hook of the drop, found by the functions on the stack; the next hook if it was between two.
pub(crate) fn hook(key: &CauseKey, symbols: &Symbols) -> Option<u8> {
    hook_of(path(key, symbols))
}

fn hook_of<'a>(mut path: impl Iterator<Item = &'a str>) -> Option<u8> {
    path.find_map(|function| {
        Some(match function {
            "ip_rcv" | "ipv6_rcv" | "ip_rcv_finish" | "ip_rcv_finish_core" | "ip_sabotage_in"
            | "ip6_rcv_finish" => 0,
            "ip_local_deliver" | "ip6_input" => 1,
            "ip_forward" | "ip6_forward" => 2,
            "__ip_local_out" | "__ip6_local_out" | "ip_local_out" | "ip6_local_out" | "raw_sendmsg"
            | "rawv6_sendmsg" => 3,
            "ip_output" | "ip_mc_output" | "ip6_output" => 4,
            // Not on its way to a socket yet, and not forwarded.
            _ if function.starts_with("__netif_receive_skb") => 0,
            _ => return None,
        })
    })
}

/// `NETFILTER_DROP: nf_hook_slow < ip_local_deliver < …`
pub(crate) fn place(key: &CauseKey, symbols: &Symbols) -> Option<String> {
    const FUNCTIONS: usize = 4;
    let path: Vec<&str> = path(key, symbols).take(FUNCTIONS).collect();
    let path = path.join(" < ");
    match symbols.drop_reason(key.more) {
        _ if key.what == what::DROP_NO_ENTRY => None,
        Some(reason) if key.detail != 0 => Some(format!("{reason}: {path}")),
        _ => Some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stacks observed on real kernels.
    #[test]
    fn a_drop_is_classified_by_reason_and_stack() {
        let cause = |reason: &str, path: &[&str]| DropCause::of_reason(reason, path).name();
        let rule = [
            "nft_do_chain",
            "nft_do_chain_ipv4",
            "nf_hook_slow",
            "ip_local_deliver",
        ];
        assert_eq!(cause("NETFILTER_DROP", &rule), "rule");
        assert_eq!(
            cause("NETFILTER_DROP", &["nf_hook_slow", "ip_local_deliver"]),
            "rule"
        );
        assert_eq!(
            cause(
                "IP_RPFILTER",
                &[
                    "ip_rcv_finish_core.isra.0",
                    "ip_rcv",
                    "__netif_receive_skb_one_core"
                ]
            ),
            "reverse_path"
        );
        let error = ["ip_error", "__netif_receive_skb_one_core", "process_backlog"];
        assert_eq!(cause("IP_INNOROUTES", &error), "no_route");
        assert_eq!(cause("NOT_SPECIFIED", &error), "no_route");
        assert_eq!(
            cause(
                "NETFILTER_DROP",
                &["nf_reinject", "nfqnl_reinject", "nfqnl_recv_verdict"]
            ),
            "queue"
        );
        assert_eq!(cause("NOT_SPECIFIED", &["ip_fragment.constprop.0"]), "other");
    }

    #[test]
    fn functions_show_the_hook() {
        let hook = |path: &[&'static str]| hook_of(path.iter().copied());
        assert_eq!(hook(&["nf_hook_slow", "ip_local_deliver", "ip_rcv"]), Some(1));
        assert_eq!(
            hook(&[
                "ip_rcv_finish_core.isra.0",
                "ip_rcv",
                "__netif_receive_skb_one_core"
            ]),
            Some(0)
        );
        assert_eq!(hook(&["ip_error", "__netif_receive_skb_one_core"]), Some(0));
        assert_eq!(hook(&["nf_hook_slow", "ip_forward"]), Some(2));
        assert_eq!(hook(&["some_module_of_mine"]), None);
    }
}
