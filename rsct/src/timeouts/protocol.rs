//! The protocols, and the states of each with their timeouts.

use crate::{
    family::Family,
    names::proto::{DCCP, GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE},
};

use super::GENERIC;

/// A protocol that conntrack keeps timeouts for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Protocol {
    /// Its name, as `nfct` reads it.
    pub name: &'static str,
    /// Its number.
    pub number: u8,
    /// Every state with a timeout of its own, in the order of ctnetlink's attributes.
    pub states: &'static [State],
}

/// A state of a protocol, or a reduction that has a timeout like one.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    /// Its name in lower case; `nfct` prints it in upper case.
    pub name: &'static str,
    /// The attribute inside `CTA_TIMEOUT_DATA` (include/uapi/linux/netfilter/nfnetlink_cttimeout.h).
    pub attribute: u16,
    /// Its sysctl, without the prefix `net.netfilter.nf_conntrack_`; none if it has none.
    pub sysctl: Option<&'static str>,
    /// Meaning: the situation of an entry that it governs.
    pub meaning: &'static str,
}

impl Protocol {
    /// The protocol with this name, whatever its case; `icmpv6` is `ipv6-icmp` too.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        let name = if name.eq_ignore_ascii_case("ipv6-icmp") {
            "icmpv6"
        } else {
            name
        };
        PROTOCOLS
            .iter()
            .find(|protocol| protocol.name.eq_ignore_ascii_case(name))
    }

    /// The protocol whose timeouts govern entries of this number: its own, or the generic one.
    pub(crate) fn of_number(number: u8) -> &'static Self {
        let of = |number| PROTOCOLS.iter().find(|protocol| protocol.number == number);
        of(number)
            .or_else(|| of(GENERIC))
            .expect("the generic protocol is in the table")
    }

    /// Its state with this name, whatever the case.
    pub(crate) fn state(&self, name: &str) -> Option<&'static State> {
        self.states
            .iter()
            .find(|state| state.name.eq_ignore_ascii_case(name))
    }

    /// Its state with this attribute.
    pub(crate) fn state_of_attribute(&self, attribute: u16) -> Option<&'static State> {
        self.states.iter().find(|state| state.attribute == attribute)
    }

    /// Its only family, if it has only one.
    pub(crate) fn family(&self) -> Option<Family> {
        match self.number {
            ICMP => Some(Family::Ipv4),
            ICMPV6 => Some(Family::Ipv6),
            _ => None,
        }
    }
}

impl State {
    /// The sysctl's full name.
    pub fn sysctl_name(&self) -> Option<String> {
        self.sysctl
            .map(|name| format!("net.netfilter.nf_conntrack_{name}"))
    }
}

macro_rules! states {
    ($($attribute:literal $name:literal $sysctl:expr, $meaning:literal;)*) => {
        &[$(State { name: $name, attribute: $attribute, sysctl: $sysctl, meaning: $meaning }),*]
    };
}

/// Every protocol, in the order they are shown.
pub(crate) const PROTOCOLS: &[Protocol] = &[
    Protocol {
        name: "tcp",
        number: TCP,
        states: states! {
            1 "syn_sent" Some("tcp_timeout_syn_sent"), "a SYN was seen, no answer yet";
            2 "syn_recv" Some("tcp_timeout_syn_recv"), "the SYN was answered, the handshake's last ACK is missing";
            3 "established" Some("tcp_timeout_established"), "the connection is open";
            4 "fin_wait" Some("tcp_timeout_fin_wait"), "one side has sent its FIN";
            5 "close_wait" Some("tcp_timeout_close_wait"), "the FIN was acknowledged, the other side has still to close";
            6 "last_ack" Some("tcp_timeout_last_ack"), "both sides have sent their FIN, the last ACK is missing";
            7 "time_wait" Some("tcp_timeout_time_wait"), "the connection is closed, delayed packets may still arrive";
            8 "close" Some("tcp_timeout_close"), "the connection was reset";
            9 "syn_sent2" None, "both sides have sent a SYN (simultaneous open)";
            10 "retrans" Some("tcp_timeout_max_retrans"),
                "reduction: tcp_max_retrans segments were retransmitted without an answer, or the window is zero";
            11 "unacknowledged" Some("tcp_timeout_unacknowledged"),
                "reduction: sent data is not acknowledged yet, or the connection was picked up in its middle";
        },
    },
    Protocol {
        name: "udp",
        number: UDP,
        states: states! {
            1 "unreplied" Some("udp_timeout"), "no reply yet, or an exchange of less than two seconds";
            2 "replied" Some("udp_timeout_stream"), "still replied to after two seconds: a stream (ASSURED)";
        },
    },
    Protocol {
        name: "udplite",
        number: UDPLITE,
        states: states! {
            // Since Linux 4.19 in net/netfilter/nf_conntrack_proto_udp.c: both protocols share one array.
            1 "unreplied" Some("udp_timeout"), "no reply yet; the same setting as udp's";
            2 "replied" Some("udp_timeout_stream"), "replied to (ASSURED); the same setting as udp's";
        },
    },
    Protocol {
        name: "icmp",
        number: ICMP,
        states: states! {
            1 "timeout" Some("icmp_timeout"), "a query, such as ping's, and its replies";
        },
    },
    Protocol {
        name: "icmpv6",
        number: ICMPV6,
        states: states! {
            1 "timeout" Some("icmpv6_timeout"), "a query, such as ping's, and its replies";
        },
    },
    Protocol {
        name: "sctp",
        number: SCTP,
        states: states! {
            1 "closed" Some("sctp_timeout_closed"), "the association is over, or was aborted";
            2 "cookie_wait" Some("sctp_timeout_cookie_wait"), "an INIT was seen, its answer is missing";
            3 "cookie_echoed" Some("sctp_timeout_cookie_echoed"), "a COOKIE ECHO was seen, its answer is missing";
            4 "established" Some("sctp_timeout_established"), "the association is open";
            5 "shutdown_sent" Some("sctp_timeout_shutdown_sent"), "one side has sent SHUTDOWN";
            6 "shutdown_recd" Some("sctp_timeout_shutdown_recd"), "the other side has sent SHUTDOWN";
            7 "shutdown_ack_sent" Some("sctp_timeout_shutdown_ack_sent"), "the SHUTDOWN was acknowledged";
            8 "heartbeat_sent" Some("sctp_timeout_heartbeat_sent"), "a HEARTBEAT on a path not yet known to work";
        },
    },
    Protocol {
        name: "dccp",
        number: DCCP,
        states: states! {
            1 "request" Some("dccp_timeout_request"), "a REQUEST was seen, no answer yet";
            2 "respond" Some("dccp_timeout_respond"), "the REQUEST was answered";
            3 "partopen" Some("dccp_timeout_partopen"), "the answer was acknowledged";
            4 "open" Some("dccp_timeout_open"), "the connection is open";
            5 "closereq" Some("dccp_timeout_closereq"), "the server has requested the close";
            6 "closing" Some("dccp_timeout_closing"), "a CLOSE was seen";
            7 "timewait" Some("dccp_timeout_timewait"), "the connection is closed, delayed packets may still arrive";
        },
    },
    Protocol {
        name: "gre",
        number: GRE,
        states: states! {
            1 "unreplied" Some("gre_timeout"), "no reply yet";
            2 "replied" Some("gre_timeout_stream"), "replied to (ASSURED)";
        },
    },
    Protocol {
        name: "generic",
        number: GENERIC,
        states: states! {
            1 "timeout" Some("generic_timeout"), "any protocol without a handler of its own";
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_count_up_from_one() {
        for protocol in PROTOCOLS {
            let attributes: Vec<u16> = protocol.states.iter().map(|state| state.attribute).collect();
            let expected: Vec<u16> = (1..).take(protocol.states.len()).collect();
            assert_eq!(attributes, expected, "{}", protocol.name);
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        let tcp = Protocol::named("TCP").expect("there is tcp");
        assert_eq!(tcp.state("Established").map(|state| state.attribute), Some(3));
        assert_eq!(tcp.state("timeout"), None);
        assert_eq!(Protocol::named("ipv6-icmp"), Protocol::named("icmpv6"));
        assert_eq!(Protocol::of_number(50).name, "generic");
    }
}
