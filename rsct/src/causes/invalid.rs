//! Why a packet is INVALID: the kernel's own words where there are any, else what kind of packet it is.

use rsct_common::record::what;

use crate::{flow::names::proto, kernel::text::Symbols};

use super::cause::{Trace, causes};

causes! {
    /// Why a packet is INVALID.
    InvalidCause {
        SeqOver "seq_over"
            "TCP: the segment lies beyond the window that the receiver has opened"
            "packets went another way or were lost to conntrack (asymmetric routing, offload): mend that, or net.netfilter.nf_conntrack_tcp_be_liberal=1";
        SeqUnder "seq_under"
            "TCP: data that was acknowledged already is sent again"
            "harmless where the peer retransmits; if it is dropped, net.netfilter.nf_conntrack_tcp_be_liberal=1";
        AckOver "ack_over"
            "TCP: data is acknowledged that conntrack has not seen"
            "packets of the other direction do not pass here: mend the asymmetric route, or net.netfilter.nf_conntrack_tcp_be_liberal=1";
        AckUnder "ack_under"
            "TCP: an acknowledgement that is far too old"
            "packets were held up somewhere for long; net.netfilter.nf_conntrack_tcp_be_liberal=1 lets them pass";
        Overshot "overshot"
            "TCP: the sender sent more than the receiver's window allows"
            "a peer that ignores windows; net.netfilter.nf_conntrack_tcp_be_liberal=1 lets it pass";
        TcpInvalidState "tcp_invalid_state"
            "TCP: these flags make no sense in the connection's state"
            "the entry is of an older connection, or packets were missed: look at the example's state, `rsct why FLOW`";
        TcpInvalidRst "tcp_invalid_rst"
            "TCP: a reset whose sequence number does not fit what was acknowledged"
            "a late or forged RST; net.netfilter.nf_conntrack_tcp_ignore_invalid_rst=1 lets it pass without ending the entry";
        TcpNotNew "tcp_not_new"
            "TCP: there is no entry, and this segment can't begin one"
            "the entry expired, was deleted or never seen here (`rsct why delete`); segments with ACK are picked up with net.netfilter.nf_conntrack_tcp_loose=1, others never";
        TcpFlags "tcp_flags"
            "TCP: flags that no segment may have together"
            "a scan, or a broken sender: look at the source";
        Checksum "checksum"
            "the checksum is wrong"
            "a broken link or sender, or a capture point before checksum offload: ethtool -K DEV rx off shows it; net.netfilter.nf_conntrack_checksum=0 lets it pass";
        Truncated "truncated"
            "the packet is shorter than its headers say"
            "a broken or malicious sender, or a wrong MTU on the way";
        IcmpNotRequest "icmp_not_request"
            "ICMP: an answer to no request that conntrack has seen"
            "the request went another way, or its entry has expired: look at routes, net.netfilter.nf_conntrack_icmp_timeout";
        IcmpUnknownFlow "icmp_unknown_flow"
            "ICMP: an error about a packet of no flow that conntrack has"
            "the flow's entry has expired or is in another namespace or zone; dropping these breaks path MTU discovery";
        IcmpWrongAddress "icmp_wrong_address"
            "ICMP: an error that is addressed to somebody else than the sender of the packet that it is about"
            "a broken or spoofing router: look at the source";
        IcmpRedirect "icmp_redirect"
            "ICMPv6: a redirect that no router near by can have sent"
            "a spoofed or forwarded redirect: look at the source";
        IcmpType "icmp_type"
            "ICMP: a type that does not exist"
            "a scan, or a broken sender";
        Fragment "fragment"
            "a fragment that was not put together, or a header that can't be read"
            "load nf_defrag_ipv4 or nf_defrag_ipv6, which conntrack switches on where a rule asks for the state";
        SctpState "sctp_state"
            "SCTP: a chunk that does not fit the association's state, or its verification tag"
            "packets of the association went another way, or its entry has expired: look at the example";
        DccpState "dccp_state"
            "DCCP: a packet that does not fit the connection's state"
            "look at the example's state";
        Said "said"
            "the protocol's tracker says so, in words that this rsct does not know"
            "look at the kernel's words, which are shown";
        Unsaid "unsaid"
            "the kernel does not say why"
            "look at the example";
        Unknown "unknown"
            "rsct did not see what the tracker said of it: records were lost, or its hooks are not attached"
            "see which hooks are missing (`rsct doctor`) and what was lost (the end of this output), and ask again";
    }
}

/// What the kernel's words begin with, and what they mean (net/netfilter/nf_conntrack_proto_*.c).
const WORDS: &[(&str, InvalidCause)] = &[
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
    pub(super) fn of(trace: &Trace<'_>, symbols: &Symbols) -> Self {
        if trace.key.what == what::INVALID_LOGGED {
            return Self::of_words(trace.words());
        }
        if !symbols.sees_words() {
            return Self::Unknown;
        }
        Self::of_kind(trace.key.more as u8, trace.key.detail)
    }

    /// What a tracker's words mean.
    pub fn of_words(words: &[u8]) -> Self {
        let known = WORDS
            .iter()
            .find(|(begin, _)| words.starts_with(begin.as_bytes()));
        known.map_or(Self::Said, |(_, cause)| *cause)
    }

    /// What it must be where nobody said anything: `detail` has an ICMP message's type in its low byte.
    pub(super) fn of_kind(protonum: u8, detail: u64) -> Self {
        // ICMP's errors: unreachable, quench, redirect, time exceeded, parameter problem.
        const ICMP_ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
        // ICMPv6's stand below the informational messages.
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
            _ => Self::Unsaid,
        }
    }

    /// Whether it is about the window of TCP, which the segment missed by so and so much.
    pub fn is_of_window(self) -> bool {
        matches!(
            self,
            Self::SeqOver | Self::SeqUnder | Self::AckOver | Self::AckUnder | Self::Overshot
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_known() {
        let cause = |words: &str| InvalidCause::of_words(words.as_bytes()).name();
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
        assert_eq!(cause("something new"), "said");
    }

    #[test]
    fn without_words_the_kind_of_packet_tells() {
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
