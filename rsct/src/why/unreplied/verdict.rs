//! The answers that there are, and what packets can be for an entry, each with its name and meaning.

/// Why an entry is, or was, UNREPLIED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A reply came meanwhile.
    Answered,
    /// A reply came that conntrack called INVALID.
    ReplyInvalid,
    /// A reply came that a rule says not to track.
    ReplyUntracked,
    /// A reply came that conntrack dropped.
    ReplyDropped,
    /// A reply came that conntrack takes for another flow's.
    ReplyIsAnotherFlow,
    /// An ICMP error came in place of a reply.
    IcmpError,
    /// A reply was met in another namespace alone.
    ReplyElsewhere,
    /// Its own packets are what should answer another entry.
    StrayReply,
    /// Packets of the original direction alone.
    OneWay,
    /// No packet in either direction.
    NoPacketsNow,
}

impl Verdict {
    /// Each of them.
    pub const ALL: [Self; 10] = [
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
    pub fn name(self) -> &'static str {
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

    /// What it means, as a sentence without its full stop.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Answered => "it was UNREPLIED and has been replied to while it was watched",
            Self::ReplyInvalid => "the reply comes, and conntrack calls it INVALID",
            Self::ReplyUntracked => "the reply comes, and a rule says not to track it",
            Self::ReplyDropped => "the reply comes, and conntrack drops it",
            Self::ReplyIsAnotherFlow => "the reply comes, and conntrack takes it for another flow",
            Self::IcmpError => "an ICMP error comes in place of a reply",
            Self::ReplyElsewhere => "the reply is met in another network namespace, and not in this one",
            Self::StrayReply => "its packets are what should answer another entry, which does not take them",
            Self::OneWay => "requests pass, and no reply is met anywhere",
            Self::NoPacketsNow => "no packet of it was met while it was watched",
        }
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Answered => "nothing: it was a matter of time",
            Self::ReplyInvalid => {
                "`rsct why invalid` has the kernel's own reason; a rule that drops INVALID drops these replies"
            }
            Self::ReplyUntracked => {
                "look for NOTRACK, `CT --notrack` or nftables' `notrack` in the raw table that meets the reply's \
                 addresses, and take the reply out of it, or the request in"
            }
            Self::ReplyDropped => "see whether the table is full: `rsct why full`",
            Self::ReplyIsAnotherFlow => {
                "have both directions meet the same zone and the same translation, and have the peer answer from the \
                 address and port that was asked"
            }
            Self::IcmpError => {
                "find out which error it is and who sends it (tcpdump icmp or icmp6): rsct could not read its header"
            }
            Self::ReplyElsewhere => {
                "the reply takes another way, or is stopped behind the place where it was met: compare `ip route get` \
                 for both directions, and look at the rules there"
            }
            Self::StrayReply => "see the entry that they should answer",
            Self::OneWay => {
                "the peer is silent, or its reply takes a way that does not lead through this machine, or is dropped \
                 before conntrack (raw table, ingress, XDP, the network card): look for it with tcpdump where it \
                 should come in"
            }
            Self::NoPacketsNow => {
                "it is what an earlier packet left, and goes when its timeout is over; watch longer with --duration \
                 if more packets should come"
            }
        }
    }
}

/// What packets are for the entry in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its own, in the original direction.
    Request,
    /// Its own, in the reply direction.
    Reply,
    /// Its own, in a direction that can't be told, as conntrack refused them.
    Refused,
    /// ICMP errors about its packets.
    IcmpError,
    /// ICMP redirects about its packets, which were forwarded all the same.
    IcmpRedirect,
    /// Replies in its namespace that are not taken for its own.
    ReplyNotTaken,
    /// Packets in its namespace that come back to it from another address or port than was asked.
    ReplyFromAnotherEnd,
    /// Its requests, met as those of another entry: in another namespace, or in another zone.
    RequestElsewhere,
    /// Its replies in another namespace.
    ReplyElsewhere,
}

impl Role {
    /// The name in output and documentation.
    pub fn name(self) -> &'static str {
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

    /// Whether the packets go in the reply direction.
    pub fn is_reply(self) -> bool {
        !matches!(self, Self::Request | Self::RequestElsewhere | Self::Refused)
    }
}
