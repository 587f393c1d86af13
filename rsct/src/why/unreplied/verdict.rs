//! The verdicts on UNREPLIED entries and the roles of packets, each with its name and meaning.

/// Why an entry is, or was, UNREPLIED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// A reply arrived during the watch.
    Answered,
    /// A reply arrived, and conntrack found it INVALID.
    ReplyInvalid,
    /// A reply arrived, and a rule exempted it from tracking.
    ReplyUntracked,
    /// A reply arrived, and conntrack dropped it.
    ReplyDropped,
    /// A reply arrived, and conntrack assigned it to another flow.
    ReplyIsAnotherFlow,
    /// An ICMP error arrived instead of a reply.
    IcmpError,
    /// A reply arrived in another namespace only.
    ReplyElsewhere,
    /// Its packets are the replies to another entry.
    StrayReply,
    /// Packets of the original direction only.
    OneWay,
    /// No packet in either direction.
    NoPacketsNow,
}

impl Verdict {
    /// Every verdict.
    pub(crate) const ALL: [Self; 10] = [
        Self::Answered,
        Self::ReplyInvalid,
        Self::ReplyUntracked,
        Self::ReplyDropped,
        Self::ReplyIsAnotherFlow,
        Self::IcmpError,
        Self::ReplyElsewhere,
        Self::StrayReply,
        Self::OneWay,
        Self::NoPacketsNow,
    ];

    /// The name in output and documentation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ReplyInvalid => "reply_invalid",
            Self::ReplyUntracked => "reply_untracked",
            Self::ReplyDropped => "reply_dropped",
            Self::ReplyIsAnotherFlow => "reply_is_another_flow",
            Self::IcmpError => "icmp_error",
            Self::ReplyElsewhere => "reply_elsewhere",
            Self::StrayReply => "stray_reply",
            Self::OneWay => "one_way",
            Self::NoPacketsNow => "no_packets_now",
        }
    }

    /// Its meaning, as a sentence without its full stop.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Answered => "it was UNREPLIED, and a reply arrived during the watch",
            Self::ReplyInvalid => "the reply arrives, and conntrack finds it INVALID",
            Self::ReplyUntracked => "the reply arrives, and a rule exempts it from tracking",
            Self::ReplyDropped => "the reply arrives, and conntrack drops it",
            Self::ReplyIsAnotherFlow => "the reply arrives, and conntrack assigns it to another flow",
            Self::IcmpError => "an ICMP error arrives instead of a reply",
            Self::ReplyElsewhere => "the reply arrives in another network namespace, and not in this one",
            Self::StrayReply => {
                "its packets are the replies to another entry, but conntrack does not match them to it"
            }
            Self::OneWay => "requests pass, and no reply arrives anywhere",
            Self::NoPacketsNow => "no packet of it arrived during the watch",
        }
    }

    /// Advice for the reader.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Answered => "nothing: the reply was only late",
            Self::ReplyInvalid => {
                "`rsct why invalid` prints the kernel's reason; a rule that drops INVALID packets drops these replies"
            }
            Self::ReplyUntracked => {
                "look in the raw table for NOTRACK, `CT --notrack` or nftables' `notrack` that matches the reply's \
                 addresses; track the reply, or exempt the request as well"
            }
            Self::ReplyDropped => "check whether the table is full: `rsct why full`",
            Self::ReplyIsAnotherFlow => {
                "give both directions the same zone and the same translation, and make the peer answer from the \
                 address and port to which the request was sent"
            }
            Self::IcmpError => {
                "capture the error to see its type and its sender (tcpdump icmp or icmp6): rsct could not read its header"
            }
            Self::ReplyElsewhere => {
                "the reply is routed over another path, or is dropped after the hook where it was seen: compare \
                 `ip route get` for both directions, and look at the rules there"
            }
            Self::StrayReply => "look at the entry that they should answer",
            Self::OneWay => {
                "the peer does not answer, or its reply is routed around this machine, or is dropped before conntrack \
                 (raw table, ingress, XDP, the network card): look for it with tcpdump where it should arrive"
            }
            Self::NoPacketsNow => {
                "an earlier packet created it, and it expires with its timeout; watch longer with --duration if more \
                 packets should arrive"
            }
        }
    }
}

/// Relation of packets to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its own, in the original direction.
    Request,
    /// Its own, in the reply direction.
    Reply,
    /// Its own, of unknown direction, as conntrack refused them.
    Refused,
    /// ICMP errors about its packets.
    IcmpError,
    /// ICMP redirects about its packets, which were forwarded all the same.
    IcmpRedirect,
    /// Replies in its namespace that conntrack does not match to it.
    ReplyNotTaken,
    /// Replies in its namespace from another address or port than the request's destination.
    ReplyFromAnotherEnd,
    /// Its requests as packets of another entry: in another namespace, or in another zone.
    RequestElsewhere,
    /// Its replies in another namespace.
    ReplyElsewhere,
}

impl Role {
    /// The name in output and documentation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Reply => "reply",
            Self::Refused => "refused",
            Self::IcmpError => "icmp_error",
            Self::IcmpRedirect => "icmp_redirect",
            Self::ReplyNotTaken => "reply_not_taken",
            Self::ReplyFromAnotherEnd => "reply_from_another_end",
            Self::RequestElsewhere => "request_elsewhere",
            Self::ReplyElsewhere => "reply_elsewhere",
        }
    }

    /// Returns whether the packets are of the reply direction.
    pub(crate) fn is_reply(self) -> bool {
        !matches!(self, Self::Request | Self::RequestElsewhere | Self::Refused)
    }
}
