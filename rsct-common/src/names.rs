//! The kernel's numbers and their names.

/// Bits of `ct->status` (include/uapi/linux/netfilter/nf_conntrack_common.h).
pub mod status {
    /// The entry was expected by a helper.
    pub const EXPECTED: u32 = 1 << 0;
    /// Packets were seen in both directions.
    pub const SEEN_REPLY: u32 = 1 << 1;
    /// Early drop does not evict it.
    pub const ASSURED: u32 = 1 << 2;
    /// In the table.
    pub const CONFIRMED: u32 = 1 << 3;
    /// Sequence numbers are adjusted, by a helper or SYNPROXY.
    pub const SEQ_ADJUST: u32 = 1 << 6;
    /// Source NAT is set up, even if it translates nothing.
    pub const SRC_NAT_DONE: u32 = 1 << 7;
    /// Destination NAT is set up, even if it translates nothing.
    pub const DST_NAT_DONE: u32 = 1 << 8;
    /// Deleted, or being deleted.
    pub const DYING: u32 = 1 << 9;
    /// Packets do not refresh the timeout.
    pub const FIXED_TIMEOUT: u32 = 1 << 10;
    /// A flow table forwards its packets.
    pub const OFFLOAD: u32 = 1 << 14;
    /// Hardware forwards its packets.
    pub const HW_OFFLOAD: u32 = 1 << 15;

    /// Every bit's name, the lowest first.
    pub const NAMES: [&str; 16] = [
        "EXPECTED",
        "SEEN_REPLY",
        "ASSURED",
        "CONFIRMED",
        "SRC_NAT",
        "DST_NAT",
        "SEQ_ADJUST",
        "SRC_NAT_DONE",
        "DST_NAT_DONE",
        "DYING",
        "FIXED_TIMEOUT",
        "TEMPLATE",
        "NAT_CLASH",
        "HELPER",
        "OFFLOAD",
        "HW_OFFLOAD",
    ];

    /// The names of the bits set in `status`.
    pub fn names(status: u32) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| status & (1 << bit) != 0)
            .map(|(_, name)| *name)
    }
}

/// Verdicts of netfilter hooks (include/uapi/linux/netfilter.h).
pub mod verdict {
    /// `NF_DROP`.
    pub const DROP: u32 = 0;
    /// `NF_ACCEPT`.
    pub const ACCEPT: u32 = 1;
}

/// Values of `enum ip_conntrack_info` (include/uapi/linux/netfilter/nf_conntrack_common.h).
pub mod info {
    /// `IP_CT_RELATED_REPLY`: an ICMP error about a packet of the original direction.
    pub const RELATED_REPLY: u8 = 4;
}

/// IP protocol numbers that conntrack has a handler for.
pub mod proto {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// GRE.
    pub const GRE: u8 = 47;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDPLITE.
    pub const UDPLITE: u8 = 136;

    /// The protocol's name, as conntrack prints it.
    pub fn name(number: u8) -> Option<&'static str> {
        Some(match number {
            ICMP => "icmp",
            TCP => "tcp",
            UDP => "udp",
            DCCP => "dccp",
            GRE => "gre",
            ICMPV6 => "icmpv6",
            SCTP => "sctp",
            UDPLITE => "udplite",
            _ => return None,
        })
    }

    /// Returns whether the tuple's l4 parts are ports.
    pub fn has_ports(number: u8) -> bool {
        matches!(number, TCP | UDP | DCCP | SCTP | UDPLITE)
    }

    /// Returns whether the tuple's l4 parts are an id, a type and a code.
    pub fn is_icmp(number: u8) -> bool {
        matches!(number, ICMP | ICMPV6)
    }
}

/// `enum tcp_conntrack` (include/uapi/linux/netfilter/nf_conntrack_tcp.h).
const TCP_STATES: [&str; 10] = [
    "NONE",
    "SYN_SENT",
    "SYN_RECV",
    "ESTABLISHED",
    "FIN_WAIT",
    "CLOSE_WAIT",
    "LAST_ACK",
    "TIME_WAIT",
    "CLOSE",
    "SYN_SENT2",
];

/// `enum sctp_conntrack` (include/uapi/linux/netfilter/nf_conntrack_sctp.h).
const SCTP_STATES: [&str; 10] = [
    "NONE",
    "CLOSED",
    "COOKIE_WAIT",
    "COOKIE_ECHOED",
    "ESTABLISHED",
    "SHUTDOWN_SENT",
    "SHUTDOWN_RECD",
    "SHUTDOWN_ACK_SENT",
    "HEARTBEAT_SENT",
    "HEARTBEAT_ACKED",
];

/// `enum ct_dccp_states` (include/linux/netfilter/nf_conntrack_dccp.h).
const DCCP_STATES: [&str; 10] = [
    "NONE", "REQUEST", "RESPOND", "PARTOPEN", "OPEN", "CLOSEREQ", "CLOSING", "TIMEWAIT", "IGNORE", "INVALID",
];

/// The name of a protocol's state; none for protocols without states.
pub fn state(proto: u8, state: u8) -> Option<&'static str> {
    let names: &[&'static str] = match proto {
        proto::TCP => &TCP_STATES,
        proto::SCTP => &SCTP_STATES,
        proto::DCCP => &DCCP_STATES,
        _ => return None,
    };
    Some(names.get(usize::from(state)).copied().unwrap_or("UNKNOWN"))
}

/// The name of an `enum ip_conntrack_info`, without its direction.
pub fn ctinfo(ctinfo: u8) -> &'static str {
    match ctinfo {
        0 | 3 => "ESTABLISHED",
        1 | 4 => "RELATED",
        2 | 5 => "NEW",
        7 => "UNTRACKED",
        _ => "UNKNOWN",
    }
}

/// Returns whether an `enum ip_conntrack_info` is of the reply direction (`CTINFO2DIR`).
pub fn is_reply(ctinfo: u8) -> bool {
    matches!(ctinfo, 3..=5)
}

/// The name of an `enum nf_inet_hooks` (include/uapi/linux/netfilter.h).
pub fn hook(number: u8) -> &'static str {
    match number {
        0 => "PRE_ROUTING",
        1 => "LOCAL_IN",
        2 => "FORWARD",
        3 => "LOCAL_OUT",
        4 => "POST_ROUTING",
        _ => "UNKNOWN",
    }
}

/// Returns whether the interface of a packet at that hook is the outgoing one.
pub fn leaves(hook: u8) -> bool {
    matches!(hook, 3 | 4)
}

/// A process's name, from the kernel's fixed-size array.
pub fn comm(bytes: &[u8; 16]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}
