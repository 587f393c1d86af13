//! Parsing of filter options.

use thiserror::Error;

use super::{
    Details, Filter, NatCondition, protocol,
    values::{family, helper, labels, masked, number, prefix, states, status, translation},
};
use crate::{family::Family, names::proto};

/// The filter options as typed, each named after its long option.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "each field is the text of the option it is named for")]
pub struct Typed<'a> {
    pub family: Option<&'a str>,
    pub proto: Option<&'a str>,
    pub src: Option<&'a str>,
    pub dst: Option<&'a str>,
    pub reply_src: Option<&'a str>,
    pub reply_dst: Option<&'a str>,
    pub host: Option<&'a str>,
    pub sport: Option<&'a str>,
    pub dport: Option<&'a str>,
    pub port: Option<&'a str>,
    pub reply_port_src: Option<&'a str>,
    pub reply_port_dst: Option<&'a str>,
    pub zone: Option<&'a str>,
    pub orig_zone: Option<&'a str>,
    pub reply_zone: Option<&'a str>,
    pub mark: Option<&'a str>,
    pub secmark: Option<&'a str>,
    pub state: Option<&'a str>,
    pub status: Option<&'a str>,
    pub label: Option<&'a str>,
    pub helper: Option<&'a str>,
    pub id: Option<&'a str>,
    /// Empty for any NAT.
    pub src_nat: Option<&'a str>,
    pub dst_nat: Option<&'a str>,
    pub any_nat: Option<&'a str>,
    pub icmp_type: Option<&'a str>,
    pub icmp_code: Option<&'a str>,
    pub icmp_id: Option<&'a str>,
}

/// Error in the filter options.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FilterError {
    /// The value is not valid.
    #[error("--{option} {value:?}: {expected}")]
    Value {
        /// The option.
        option: &'static str,
        /// The typed text.
        value: String,
        /// A description of valid values.
        expected: &'static str,
    },
    /// Two values of different address families.
    #[error("--{option} {value:?} is {is}, but --{other} is {other_is}: no entry matches both")]
    Families {
        /// The later option.
        option: &'static str,
        /// The typed text.
        value: String,
        /// Its family.
        is: &'static str,
        /// The earlier option.
        other: &'static str,
        /// That one's family.
        other_is: &'static str,
    },
    /// Two options that no entry can match together.
    #[error("--{option} and --{other}: {why}")]
    Contradiction {
        /// One option.
        option: &'static str,
        /// The other option.
        other: &'static str,
        /// The reason.
        why: &'static str,
    },
    /// The protocol does not have this value.
    #[error("--{option} {value:?}: protocol {proto} has no such {what}")]
    NotOfProtocol {
        /// The option.
        option: &'static str,
        /// The typed text.
        value: String,
        /// The missing attribute.
        what: &'static str,
        /// The protocol's number.
        proto: u8,
    },
    /// A port option for a protocol without ports.
    #[error("--{option} needs a protocol with ports; protocol {proto} has none")]
    NoPorts {
        /// The port option.
        option: &'static str,
        /// The protocol's number.
        proto: u8,
    },
}

const ADDRESS: &str = "expected an IPv4 or IPv6 address with an optional prefix length, such as 10.0.0.0/8";
const PORT: &str = "expected a port from 0 to 65535";

impl Typed<'_> {
    /// Parses all options.
    pub fn filter(&self) -> Result<Filter, FilterError> {
        let mut filter = Filter {
            family: parse("family", self.family, FAMILY, family)?,
            proto: parse("proto", self.proto, PROTO, protocol::parse)?,
            src: parse("src", self.src, ADDRESS, prefix)?,
            dst: parse("dst", self.dst, ADDRESS, prefix)?,
            reply_src: parse("reply-src", self.reply_src, ADDRESS, prefix)?,
            reply_dst: parse("reply-dst", self.reply_dst, ADDRESS, prefix)?,
            host: parse("host", self.host, ADDRESS, prefix)?,
            sport: parse("sport", self.sport, PORT, number)?,
            dport: parse("dport", self.dport, PORT, number)?,
            port: parse("port", self.port, PORT, number)?,
            zone: parse("zone", self.zone, ZONE, number)?,
            mark: parse("mark", self.mark, MARK, masked)?,
            details: self.details()?,
        };
        filter.family = self.one_family(&filter)?;
        self.contradictions(&filter)?;
        if let Some(proto) = filter.proto {
            self.of_protocol(&filter, proto)?;
        }
        Ok(filter)
    }

    fn details(&self) -> Result<Details, FilterError> {
        let source = parse("src-nat", self.src_nat, TRANSLATION, translation)?;
        let destination = parse("dst-nat", self.dst_nat, TRANSLATION, translation)?;
        let any = parse("any-nat", self.any_nat, TRANSLATION, translation)?;
        let nat = match (any, source, destination) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                return Err(FilterError::Contradiction {
                    option: "any-nat",
                    other: if source.is_some() { "src-nat" } else { "dst-nat" },
                    why: "use only one of them; --any-nat matches NAT of either end",
                });
            }
            (Some(any), ..) => Some(NatCondition::Any(any)),
            (None, None, None) => None,
            (None, source, destination) => Some(NatCondition::All { source, destination }),
        };
        Ok(Details {
            reply_sport: parse("reply-port-src", self.reply_port_src, PORT, number)?,
            reply_dport: parse("reply-port-dst", self.reply_port_dst, PORT, number)?,
            state: parse("state", self.state, STATE, states)?,
            status: parse("status", self.status, STATUS, status)?,
            zone_orig: parse("orig-zone", self.orig_zone, ZONE, number)?,
            zone_reply: parse("reply-zone", self.reply_zone, ZONE, number)?,
            nat,
            labels: parse("label", self.label, LABEL, labels)?,
            secmark: parse("secmark", self.secmark, MARK, masked)?,
            helper: parse("helper", self.helper, HELPER, helper)?,
            id: parse("id", self.id, ID, number)?,
            icmp_type: parse("icmp-type", self.icmp_type, BYTE, number)?,
            icmp_code: parse("icmp-code", self.icmp_code, BYTE, number)?,
            icmp_id: parse("icmp-id", self.icmp_id, ICMP_ID, number)?,
        })
    }

    /// Rejects options that no entry can match together.
    fn contradictions(&self, filter: &Filter) -> Result<(), FilterError> {
        let details = &filter.details;
        if let Some(status) = details.status
            && status.set & status.clear != 0
        {
            return Err(FilterError::Value {
                option: "status",
                value: self.status.unwrap_or_default().to_owned(),
                expected: "a bit cannot be both set and clear",
            });
        }
        for (option, zone) in [
            ("orig-zone", details.zone_orig),
            ("reply-zone", details.zone_reply),
        ] {
            if zone.is_some() && filter.zone.is_some() && zone != filter.zone {
                return Err(FilterError::Contradiction {
                    option,
                    other: "zone",
                    why: "an entry has only one zone number: no entry matches both",
                });
            }
        }
        if details.zone_orig.is_some() && details.zone_reply.is_some() {
            return Err(FilterError::Contradiction {
                option: "orig-zone",
                other: "reply-zone",
                why: "an entry's zone applies to both directions or to one: no entry matches both",
            });
        }
        Ok(())
    }

    /// Rejects options that the protocol does not have.
    fn of_protocol(&self, filter: &Filter, proto: u8) -> Result<(), FilterError> {
        let details = &filter.details;
        if !proto::has_ports(proto) {
            let ports = [
                ("sport", filter.sport),
                ("dport", filter.dport),
                ("port", filter.port),
                ("reply-port-src", details.reply_sport),
                ("reply-port-dst", details.reply_dport),
            ];
            if let Some((option, _)) = ports.into_iter().find(|(_, port)| port.is_some()) {
                return Err(FilterError::NoPorts { option, proto });
            }
        }
        let lacks_state = details.state.is_some_and(|states| !states.has_any_of(proto));
        for (option, value, lacks, what) in [
            ("state", self.state, lacks_state, "state"),
            ("icmp-type", self.icmp_type, !proto::is_icmp(proto), "type"),
            ("icmp-code", self.icmp_code, !proto::is_icmp(proto), "code"),
            ("icmp-id", self.icmp_id, !proto::is_icmp(proto), "id"),
        ] {
            if let Some(value) = value
                && lacks
            {
                return Err(FilterError::NotOfProtocol {
                    option,
                    value: value.to_owned(),
                    what,
                    proto,
                });
            }
        }
        Ok(())
    }

    /// The family of `--family` and of all addresses; fails if they differ.
    fn one_family(&self, filter: &Filter) -> Result<Option<Family>, FilterError> {
        let mut first = filter.family.map(|family| ("family", family));
        for (option, typed, prefix) in [
            ("src", self.src, filter.src),
            ("dst", self.dst, filter.dst),
            ("reply-src", self.reply_src, filter.reply_src),
            ("reply-dst", self.reply_dst, filter.reply_dst),
            ("host", self.host, filter.host),
            ("src-nat", self.src_nat, filter.details.source_nat_address()),
            ("dst-nat", self.dst_nat, filter.details.destination_nat_address()),
            ("any-nat", self.any_nat, filter.details.any_nat_address()),
        ] {
            let (Some(typed), Some(prefix)) = (typed, prefix) else {
                continue;
            };
            let family = prefix.family();
            let (other, other_is) = *first.get_or_insert((option, family));
            if other_is != family {
                return Err(FilterError::Families {
                    option,
                    value: typed.to_owned(),
                    is: family.name(),
                    other,
                    other_is: other_is.name(),
                });
            }
        }
        Ok(first.map(|(_, family)| family))
    }
}

const FAMILY: &str = "expected ipv4 or ipv6";
const PROTO: &str = "expected a protocol name, such as tcp, or a number from 0 to 255";
const ZONE: &str = "expected a zone from 0 to 65535";
const MARK: &str = "expected a mark of 32 bits with an optional mask that covers it, such as 0x10/0xff";
const STATE: &str = "expected states, such as ESTABLISHED,TIME_WAIT, or all with ! to exclude them";
const STATUS: &str = "expected status bits, with ! for clear ones, such as ASSURED,!SRC_NAT or UNREPLIED";
const LABEL: &str = "expected labels: numbers from 0 to 127, or names from /etc/xtables/connlabel.conf";
const HELPER: &str = "expected a helper name of at most 15 bytes, such as ftp";
const ID: &str = "expected an entry id, a 32-bit number";
const BYTE: &str = "expected a number from 0 to 255";
const ICMP_ID: &str = "expected a number from 0 to 65535";
const TRANSLATION: &str = "expected the address (or prefix), the port, or both after NAT, such as 192.0.2.1, 192.0.2.1:80, [::1]:80 or :80";

fn parse<T>(
    option: &'static str,
    typed: Option<&str>,
    expected: &'static str,
    parser: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, FilterError> {
    let wrong = |value: &str| FilterError::Value {
        option,
        value: value.to_owned(),
        expected,
    };
    typed
        .map(|value| parser(value).ok_or_else(|| wrong(value)))
        .transpose()
}
