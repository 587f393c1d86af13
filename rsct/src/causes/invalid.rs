//! The reason for an INVALID packet: the kernel's text if there is one, else the type of packet.

use rsct_common::record::what;

use crate::{kernel::text::Symbols, names::proto};

use super::family::{Evidence, causes};

causes! {
    /// Why a packet is INVALID.
    InvalidCause {
        SeqOver "seq_over"
            "TCP: the segment lies beyond the receiver's window"
            "fix the path on which packets bypass conntrack (asymmetric routing, offload), or set net.netfilter.nf_conntrack_tcp_be_liberal=1";
        SeqUnder "seq_under"
            "TCP: the segment repeats data that was already acknowledged"
            "ignore retransmissions; if a rule drops the packet, set net.netfilter.nf_conntrack_tcp_be_liberal=1";
        AckOver "ack_over"
            "TCP: the segment acknowledges data that conntrack has not seen"
            "fix the asymmetric route on which the other direction bypasses this host, or set net.netfilter.nf_conntrack_tcp_be_liberal=1";
        AckUnder "ack_under"
            "TCP: the acknowledgement is far too old"
            "find the queue or link that delays packets, or set net.netfilter.nf_conntrack_tcp_be_liberal=1";
        Overshot "overshot"
            "TCP: the sender sent more data than the receiver's window allows"
            "check the sender, which ignores the window, or set net.netfilter.nf_conntrack_tcp_be_liberal=1";
        TcpInvalidState "tcp_invalid_state"
            "TCP: the flags are not valid in the connection's state"
            "compare the flags with the example's state, and run `rsct why FLOW`: the entry is older than the connection, or packets bypassed conntrack";
        TcpInvalidRst "tcp_invalid_rst"
            "TCP: the sequence number of the RST does not match the last acknowledgement"
            "check for a delayed or forged RST, or set net.netfilter.nf_conntrack_tcp_ignore_invalid_rst=1 to let it pass without closing the entry";
        TcpNotNew "tcp_not_new"
            "TCP: there is no entry, and the segment cannot create one"
            "run `rsct why delete` to see if the entry expired or was deleted; set net.netfilter.nf_conntrack_tcp_loose=1 to create entries from segments with ACK";
        TcpFlags "tcp_flags"
            "TCP: the combination of flags is invalid"
            "check the source: it scans ports or is broken";
        Checksum "checksum"
            "the packet's checksum is wrong"
            "check the link and the sender, or test checksum offload with `ethtool -K DEV rx off`; net.netfilter.nf_conntrack_checksum=0 disables the check";
        Truncated "truncated"
            "the packet is shorter than its headers require"
            "check the sender, and the MTU on the path";
        IcmpNotRequest "icmp_not_request"
            "ICMP: a reply to a request that conntrack has not seen"
            "check the route of the request, and net.netfilter.nf_conntrack_icmp_timeout if the entry expired before the reply";
        IcmpUnknownFlow "icmp_unknown_flow"
            "ICMP: an error about a packet that belongs to no entry"
            "check if the flow's entry expired, or is in another namespace or zone; do not drop such errors: path MTU discovery needs them";
        IcmpWrongAddress "icmp_wrong_address"
            "ICMP: the error is not addressed to the sender of the packet that it quotes"
            "check the source: a broken or spoofing router";
        IcmpRedirect "icmp_redirect"
            "ICMPv6: the redirect does not come from a router on the link"
            "check the source: the redirect is spoofed or was forwarded";
        IcmpType "icmp_type"
            "ICMP: the message type does not exist"
            "check the source: it scans or is broken";
        Fragment "fragment"
            "the packet is a fragment that was not reassembled, or a header cannot be read"
            "load nf_defrag_ipv4 or nf_defrag_ipv6; conntrack enables them if a rule matches `ct state`";
        SctpState "sctp_state"
            "SCTP: the chunk or its verification tag does not match the association's state"
            "check the route of the association's packets, and if its entry expired: see the example";
        DccpState "dccp_state"
            "DCCP: the packet is not valid in the connection's state"
            "compare the packet with the example's state";
        OtherReason "other_reason"
            "the protocol's tracker logged a reason that this rsct does not know"
            "read the kernel's reason in the line `kernel`";
        NoReason "no_reason"
            "the kernel logged no reason"
            "look at the example";
        Unknown "unknown"
            "rsct did not see the tracker's reason: records were lost, or a hook is not attached"
            "run `rsct doctor` for missing hooks, read the lost records at the end of this output, and run the command again";
    }
}

/// Beginnings of the kernel's texts, and their causes (net/netfilter/nf_conntrack_proto_*.c).
const TEXTS: &[(&str, InvalidCause)] = &[
    ("SEQ is over", InvalidCause::SeqOver),
    ("SEQ is under", InvalidCause::SeqUnder),
    ("ACK is over", InvalidCause::AckOver),
    ("ignored ACK under", InvalidCause::AckUnder),
    ("ACK is under", InvalidCause::AckUnder),
    ("%u bytes more than expected", InvalidCause::Overshot),
    ("packet (index %d) in dir %d", InvalidCause::TcpInvalidState),
    ("invalid rst", InvalidCause::TcpInvalidRst),
    ("invalid tcp flag combination", InvalidCause::TcpFlags),
    ("invalid new", InvalidCause::TcpNotNew),
    ("bad checksum", InvalidCause::Checksum),
    ("bad HW ICMP checksum", InvalidCause::Checksum),
    ("bad hw icmp checksum", InvalidCause::Checksum),
    ("checksum missing", InvalidCause::Checksum),
    ("invalid checksum coverage", InvalidCause::Truncated),
    ("ICMPv6 checksum failed", InvalidCause::Checksum),
    ("nf_ct_sctp: bad CRC", InvalidCause::Checksum),
    ("nf_ct_dccp: bad checksum", InvalidCause::Checksum),
    ("truncated", InvalidCause::Truncated),
    ("short redirect", InvalidCause::Truncated),
    ("nf_ct_sctp: short packet", InvalidCause::Truncated),
    ("short packet", InvalidCause::Truncated),
    ("outer daddr", InvalidCause::IcmpWrongAddress),
    ("invalid icmp type", InvalidCause::IcmpType),
    ("verification tag", InvalidCause::SctpState),
    ("Invalid, old_state", InvalidCause::SctpState),
    ("invalid saddr or hoplimit", InvalidCause::IcmpRedirect),
    ("invalid state transition", InvalidCause::DccpState),
    ("invalid packet", InvalidCause::DccpState),
    ("nf_ct_dccp", InvalidCause::DccpState),
];

impl InvalidCause {
    pub(super) fn of(evidence: &Evidence<'_>, symbols: &Symbols) -> Self {
        match evidence.key.what {
            what::INVALID_LOGGED => Self::of_text(evidence.text()),
            what::INVALID_NO_REASON if symbols.sees_log_messages() => {
                Self::of_kind(evidence.key.more as u8, evidence.key.detail)
            }
            _ => Self::Unknown,
        }
    }

    /// Determines the cause from a tracker's text.
    pub(crate) fn of_text(text: &[u8]) -> Self {
        let known = TEXTS.iter().find(|(begin, _)| text.starts_with(begin.as_bytes()));
        known.map_or(Self::OtherReason, |(_, cause)| *cause)
    }

    /// Determines the cause without a text: `detail` has an ICMP message's type in its low byte.
    pub(super) fn of_kind(protonum: u8, detail: u64) -> Self {
        // ICMP errors: unreachable, quench, redirect, time exceeded, parameter problem.
        const ICMP_ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
        // ICMPv6 errors have lower types than informational messages.
        const ICMPV6_INFORMATIONAL: u8 = 128;
        let icmp_type = detail as u8;
        match protonum {
            proto::TCP => Self::TcpNotNew,
            proto::ICMP if ICMP_ERRORS.contains(&icmp_type) => Self::IcmpUnknownFlow,
            proto::ICMPV6 if icmp_type < ICMPV6_INFORMATIONAL => Self::IcmpUnknownFlow,
            proto::ICMP | proto::ICMPV6 => Self::IcmpNotRequest,
            proto::SCTP => Self::SctpState,
            proto::DCCP => Self::DccpState,
            proto::UDP => Self::Fragment,
            _ => Self::NoReason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_known() {
        let cause = |text: &str| InvalidCause::of_text(text.as_bytes()).name();
        assert_eq!(
            cause("SEQ is over upper bound %u (over the window of the receiver)"),
            "seq_over"
        );
        assert_eq!(
            cause("ACK is over upper bound %u (ACKed data not seen yet)"),
            "ack_over"
        );
        assert_eq!(
            cause("packet (index %d) in dir %d invalid, state %s"),
            "tcp_invalid_state"
        );
        assert_eq!(cause("bad checksum"), "checksum");
        assert_eq!(cause("something new"), "other_reason");
    }

    #[test]
    fn without_a_text_the_type_of_packet_decides() {
        assert_eq!(InvalidCause::of_kind(proto::TCP, 0), InvalidCause::TcpNotNew);
        assert_eq!(
            InvalidCause::of_kind(proto::ICMP, 3),
            InvalidCause::IcmpUnknownFlow
        );
        assert_eq!(
            InvalidCause::of_kind(proto::ICMP, 0),
            InvalidCause::IcmpNotRequest
        );
        assert_eq!(
            InvalidCause::of_kind(proto::ICMPV6, 1),
            InvalidCause::IcmpUnknownFlow
        );
        assert_eq!(
            InvalidCause::of_kind(proto::ICMPV6, 129),
            InvalidCause::IcmpNotRequest
        );
    }
}
