//! The flows to which a rule attaches a policy.

use std::fmt::{self, Display};

use thiserror::Error;

use super::Hook;
use crate::{
    family::Family,
    filter::{
        Prefix, protocol,
        values::{number, prefix},
    },
    names::proto,
    timeouts::{GENERIC, Protocol},
};

/// Size of an interface's name with its zero byte (IFNAMSIZ).
const IFNAMSIZ: usize = 16;

/// Conditions on a flow's first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// Its protocol.
    pub proto: u8,
    /// Its source address.
    pub src: Option<Prefix>,
    /// Its destination address.
    pub dst: Option<Prefix>,
    /// Its source port.
    pub sport: Option<Ports>,
    /// Its destination port.
    pub dport: Option<Ports>,
    /// The interface that received it; a `+` at the end matches any suffix.
    pub in_iface: Option<String>,
    /// The interface that it leaves by.
    pub out_iface: Option<String>,
}

/// A range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

/// A match from the command line, one field per option.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TypedMatch<'a> {
    pub proto: Option<&'a str>,
    pub src: Option<&'a str>,
    pub dst: Option<&'a str>,
    pub sport: Option<&'a str>,
    pub dport: Option<&'a str>,
    pub in_iface: Option<&'a str>,
    pub out_iface: Option<&'a str>,
}

/// A match is invalid, or not possible for this policy.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum MatchError {
    /// A value cannot be parsed.
    #[error("--{option} {value:?}: expected {expected}")]
    Value {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
        /// The valid values.
        expected: &'static str,
    },
    /// The policy and the address are of different families.
    #[error("--{option} {value}: the policy is for {}, and the address is of another family", .policy.name())]
    Family {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
        /// The policy's family.
        policy: Family,
    },
    /// The policy is of another protocol than the requested one.
    #[error("--proto {value}: the policy is for {policy}; omit --proto")]
    Protocol {
        /// The value.
        value: String,
        /// The policy's protocol.
        policy: &'static str,
    },
    /// The generic policy needs a protocol that conntrack has no handler for.
    #[error(
        "--proto is missing: the policy is for protocols that conntrack has no handler for, and a rule \
         attaches it to one of them; select one, such as --proto esp"
    )]
    WhichProtocol,
    /// The generic policy does not apply to a protocol with a handler.
    #[error(
        "--proto {value}: the policy is for protocols that conntrack has no handler for, and it has one for \
         {value}"
    )]
    Handled {
        /// The value.
        value: String,
    },
    /// The protocol has no ports.
    #[error("--{option}: {proto} has no ports")]
    NoPorts {
        /// The option.
        option: &'static str,
        /// The protocol.
        proto: String,
    },
    /// The interface is not known at the hook.
    #[error("--{option}: {cause}")]
    Interface {
        /// The option.
        option: &'static str,
        /// The cause.
        cause: &'static str,
    },
}

/// A match's parsed conditions; `None` if the option was not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) proto: Option<u8>,
    pub(super) src: Option<Prefix>,
    pub(super) dst: Option<Prefix>,
    pub(super) sport: Option<Ports>,
    pub(super) dport: Option<Ports>,
    pub(super) in_iface: Option<String>,
    pub(super) out_iface: Option<String>,
}

impl Ports {
    const ALL: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    /// Parses a port, or two with a `:` or a `-` between them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (first, last) = text
            .split_once(':')
            .or_else(|| text.split_once('-'))
            .unwrap_or((text, text));
        let ports = Self {
            first: number(first)?,
            last: number(last)?,
        };
        (ports.first <= ports.last).then_some(ports)
    }

    /// The ports as text, with `between` as separator of a range.
    pub(super) fn text(self, between: char) -> String {
        let Self { first, last } = self;
        if first == last {
            first.to_string()
        } else {
            format!("{first}{between}{last}")
        }
    }
}

impl Parts {
    /// Removes conditions that every packet meets, which iptables and nft do not list either.
    pub(super) fn without_trivial(mut self) -> Self {
        self.src = self.src.filter(|prefix| prefix.bits > 0);
        self.dst = self.dst.filter(|prefix| prefix.bits > 0);
        self.sport = self.sport.filter(|ports| *ports != Ports::ALL);
        self.dport = self.dport.filter(|ports| *ports != Ports::ALL);
        self.in_iface = self.in_iface.filter(|name| name != "+");
        self.out_iface = self.out_iface.filter(|name| name != "+");
        self
    }

    /// The match of a rule that has a protocol.
    pub(super) fn matching(self) -> Option<Matching> {
        let parts = self.without_trivial();
        Some(Matching {
            proto: parts.proto?,
            src: parts.src,
            dst: parts.dst,
            sport: parts.sport,
            dport: parts.dport,
            in_iface: parts.in_iface,
            out_iface: parts.out_iface,
        })
    }
}

impl TypedMatch<'_> {
    /// The match for a policy of this family and protocol.
    pub(crate) fn matching(&self, family: Family, l4proto: u8) -> Result<Matching, MatchError> {
        let parts = self.parts()?;
        for (option, prefix) in [("src", parts.src), ("dst", parts.dst)] {
            if let Some(prefix) = prefix
                && prefix.family() != family
            {
                return Err(MatchError::Family {
                    option,
                    value: text_of(prefix),
                    policy: family,
                });
            }
        }
        let proto = self.protocol(parts.proto, l4proto)?;
        for (option, ports) in [("sport", parts.sport), ("dport", parts.dport)] {
            if ports.is_some() && !proto::has_ports(proto) {
                return Err(MatchError::NoPorts {
                    option,
                    proto: protocol_name(proto),
                });
            }
        }
        let parts = Parts {
            proto: Some(proto),
            ..parts
        };
        parts.matching().ok_or(MatchError::WhichProtocol)
    }

    /// The hooks for a rule, with a requested hook or without.
    pub(crate) fn hooks(&self, requested: Option<Hook>) -> Result<Vec<Hook>, MatchError> {
        let only = match (self.in_iface, self.out_iface) {
            (None, None) => return Ok(requested.map_or(Hook::ALL.to_vec(), |hook| vec![hook])),
            (Some(_), Some(_)) => {
                return Err(MatchError::Interface {
                    option: "out-iface",
                    cause: "no hook knows both interfaces: use --in-iface (hook prerouting) or --out-iface \
                         (hook output)",
                });
            }
            (Some(_), None) => Hook::Prerouting,
            (None, Some(_)) => Hook::Output,
        };
        match (requested, only) {
            (Some(Hook::Output), Hook::Prerouting) => Err(MatchError::Interface {
                option: "in-iface",
                cause: "packets at the hook output have no input interface; use --out-iface or --hook \
                     prerouting",
            }),
            (Some(Hook::Prerouting), Hook::Output) => Err(MatchError::Interface {
                option: "out-iface",
                cause: "packets at the hook prerouting have no output interface yet; use --in-iface or --hook \
                     output",
            }),
            _ => Ok(vec![only]),
        }
    }

    /// Returns whether no option was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.typed().into_iter().all(|text| text.is_none())
    }

    /// Returns a test whether a rule has every given condition.
    pub(crate) fn picks(&self) -> Result<impl Fn(&Matching) -> bool + use<>, MatchError> {
        let parts = self.parts()?.without_trivial();
        let typed = self.typed().map(|text| text.is_some());
        Ok(move |of: &Matching| {
            let same = [
                parts.proto == Some(of.proto),
                parts.src == of.src,
                parts.dst == of.dst,
                parts.sport == of.sport,
                parts.dport == of.dport,
                parts.in_iface == of.in_iface,
                parts.out_iface == of.out_iface,
            ];
            typed.iter().zip(same).all(|(typed, same)| !typed || same)
        })
    }

    fn typed(&self) -> [Option<&str>; 7] {
        let Self {
            proto,
            src,
            dst,
            sport,
            dport,
            in_iface,
            out_iface,
        } = *self;
        [proto, src, dst, sport, dport, in_iface, out_iface]
    }

    fn parts(&self) -> Result<Parts, MatchError> {
        const PORTS: &str = "a port, or a range with the smaller port first, such as 1000:2000";
        const ADDRESS: &str = "an address with an optional prefix length, such as 10.0.0.0/8";
        const INTERFACE: &str = "an interface name; a + at its end matches any suffix";
        fn read<T>(
            option: &'static str,
            text: Option<&str>,
            expected: &'static str,
            parse: impl Fn(&str) -> Option<T>,
        ) -> Result<Option<T>, MatchError> {
            let Some(text) = text else { return Ok(None) };
            let wrong = || MatchError::Value {
                option,
                value: text.to_owned(),
                expected,
            };
            parse(text).map(Some).ok_or_else(wrong)
        }
        Ok(Parts {
            proto: read("proto", self.proto, "a protocol's name or number", |text| {
                protocol::parse(text).filter(|number| *number != 0)
            })?,
            src: read("src", self.src, ADDRESS, prefix)?,
            dst: read("dst", self.dst, ADDRESS, prefix)?,
            sport: read("sport", self.sport, PORTS, Ports::parse)?,
            dport: read("dport", self.dport, PORTS, Ports::parse)?,
            in_iface: read("in-iface", self.in_iface, INTERFACE, interface)?,
            out_iface: read("out-iface", self.out_iface, INTERFACE, interface)?,
        })
    }

    fn protocol(&self, requested: Option<u8>, l4proto: u8) -> Result<u8, MatchError> {
        let text = || self.proto.unwrap_or_default().to_owned();
        match requested {
            None if l4proto == GENERIC => Err(MatchError::WhichProtocol),
            None => Ok(l4proto),
            // For other protocols a kernel may have a handler or not.
            Some(proto::TCP | proto::UDP | proto::ICMP | proto::ICMPV6) if l4proto == GENERIC => {
                Err(MatchError::Handled { value: text() })
            }
            Some(requested) if requested == l4proto || l4proto == GENERIC => Ok(requested),
            Some(_) => Err(MatchError::Protocol {
                value: text(),
                policy: Protocol::of_number(l4proto).name,
            }),
        }
    }
}

/// Parses an interface's name, as the kernel permits it (net/core/dev.c, `dev_valid_name`). Spaces and
/// negation are refused, because no tool accepts them.
fn interface(name: &str) -> Option<String> {
    let fits = !name.is_empty() && name.len() < IFNAMSIZ && name != "." && name != "..";
    let wrong = |c: char| c.is_whitespace() || c.is_control() || "/:!\"'\\*".contains(c);
    (fits && !name.starts_with('-') && !name.contains(wrong)).then(|| name.to_owned())
}

/// A protocol's name in conntrack, or its number.
pub(super) fn protocol_name(number: u8) -> String {
    proto::name(number).map_or_else(|| number.to_string(), str::to_owned)
}

/// An address, with its prefix length if that is not the full one.
pub(super) fn text_of(prefix: Prefix) -> String {
    let Prefix { addr, bits } = prefix;
    let most = if addr.is_ipv4() { 32 } else { 128 };
    if bits == most {
        addr.to_string()
    } else {
        format!("{addr}/{bits}")
    }
}

impl Display for Matching {
    /// Prints the options of the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--proto {}", protocol_name(self.proto))?;
        let ports = |ports: Option<Ports>| ports.map(|ports| ports.text(':'));
        for (option, value) in [
            ("src", self.src.map(text_of)),
            ("dst", self.dst.map(text_of)),
            ("sport", ports(self.sport)),
            ("dport", ports(self.dport)),
            ("in-iface", self.in_iface.clone()),
            ("out-iface", self.out_iface.clone()),
        ] {
            if let Some(value) = value {
                write!(f, " --{option} {value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_udp(typed: TypedMatch<'_>) -> Result<Matching, String> {
        typed
            .matching(Family::Ipv4, proto::UDP)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_policy_determines_the_protocol() {
        let matching = of_udp(TypedMatch {
            src: Some("10.1.2.3/8"),
            dport: Some("53-60"),
            sport: Some("0:65535"),
            in_iface: Some("eth+"),
            ..TypedMatch::default()
        });
        assert_eq!(
            matching.unwrap().to_string(),
            "--proto udp --src 10.0.0.0/8 --dport 53:60 --in-iface eth+"
        );
    }

    #[test]
    fn invalid_matches_are_refused() {
        let typed = |proto, src, dport| TypedMatch {
            proto,
            src,
            dport,
            ..TypedMatch::default()
        };
        for (typed, l4proto, expected) in [
            (
                typed(Some("tcp"), None, None),
                proto::UDP,
                "the policy is for udp; omit --proto",
            ),
            (typed(Some("no"), None, None), proto::UDP, "a protocol's name"),
            (
                typed(None, Some("::1"), None),
                proto::UDP,
                "--src ::1: the policy is for ipv4",
            ),
            (
                typed(None, Some("10.0.0.1/33"), None),
                proto::UDP,
                "expected an address",
            ),
            (
                typed(None, None, Some("5:4")),
                proto::UDP,
                "the smaller port first",
            ),
            (typed(None, None, Some("http")), proto::UDP, "expected a port"),
            (typed(None, None, Some("5")), proto::ICMP, "icmp has no ports"),
            (typed(None, None, None), GENERIC, "such as --proto esp"),
            (typed(Some("udp"), None, None), GENERIC, "it has one for udp"),
        ] {
            let error = typed.matching(Family::Ipv4, l4proto).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn interfaces_determine_the_hook() {
        let typed = |in_iface, out_iface| TypedMatch {
            in_iface,
            out_iface,
            ..TypedMatch::default()
        };
        assert_eq!(typed(None, None).hooks(None).unwrap(), Hook::ALL);
        assert_eq!(
            typed(None, None).hooks(Some(Hook::Output)).unwrap(),
            [Hook::Output]
        );
        assert_eq!(typed(Some("lo"), None).hooks(None).unwrap(), [Hook::Prerouting]);
        assert_eq!(typed(None, Some("lo")).hooks(None).unwrap(), [Hook::Output]);
        typed(Some("lo"), None).hooks(Some(Hook::Output)).unwrap_err();
        typed(None, Some("lo")).hooks(Some(Hook::Prerouting)).unwrap_err();
        typed(Some("lo"), Some("lo")).hooks(None).unwrap_err();
        for wrong in ["", "a/b", "two words", "sixteen-letters-", "!lo", "..", "-i"] {
            assert_eq!(interface(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_given_options_select() {
        let rule = of_udp(TypedMatch {
            src: Some("10.0.0.0/8"),
            dport: Some("53"),
            ..TypedMatch::default()
        })
        .unwrap();
        let picks = |src, dport, sport| {
            let typed = TypedMatch {
                src,
                dport,
                sport,
                ..TypedMatch::default()
            };
            typed.picks().unwrap()(&rule)
        };
        assert!(picks(None, None, None));
        assert!(picks(None, Some("53"), None));
        assert!(picks(Some("10.9.9.9/8"), Some("53"), None));
        assert!(!picks(Some("10.0.0.0/9"), Some("53"), None));
        assert!(!picks(None, None, Some("53")));
    }
}
