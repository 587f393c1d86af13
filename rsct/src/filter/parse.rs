//! What was typed becomes what it means.

use std::net::IpAddr;

use thiserror::Error;

use super::{Filter, Masked, Prefix, protocol};
use crate::{family::Family, flow::names::proto};

/// A filter as it was typed, each part under the name of its long option.
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
    pub zone: Option<&'a str>,
    pub mark: Option<&'a str>,
}

/// Why a filter means nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FilterError {
    /// A value can't be read.
    #[error("--{option} {value:?}: {expected}")]
    Value {
        /// The option.
        option: &'static str,
        /// What was typed.
        value: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// Two parts can't both hold.
    #[error("--{option} {value:?} is {is}, --{other} asks for {asks}: no entry is both")]
    Families {
        /// The later option.
        option: &'static str,
        /// What was typed.
        value: String,
        /// Its family.
        is: &'static str,
        /// The earlier option.
        other: &'static str,
        /// That one's family.
        asks: &'static str,
    },
    /// Ports of a protocol that has none.
    #[error("--{option} asks for a port, and protocol {proto} has none")]
    NoPorts {
        /// The option that asks for a port.
        option: &'static str,
        /// The protocol's number.
        proto: u8,
    },
}

const ADDRESS: &str = "expected an IPv4 or IPv6 address, with a prefix length if wanted, such as 10.0.0.0/8";
const PORT: &str = "expected a port from 0 to 65535";

impl Typed<'_> {
    /// What was typed becomes what it means.
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
        };
        filter.family = self.one_family(&filter)?;
        if let Some(proto) = filter.proto
            && !proto::has_ports(proto)
        {
            let ports = [
                ("sport", filter.sport),
                ("dport", filter.dport),
                ("port", filter.port),
            ];
            if let Some((option, _)) = ports.into_iter().find(|(_, port)| port.is_some()) {
                return Err(FilterError::NoPorts { option, proto });
            }
        }
        Ok(filter)
    }

    /// The family that was asked for or that the addresses have, if it is the same everywhere.
    fn one_family(&self, filter: &Filter) -> Result<Option<Family>, FilterError> {
        let mut first = filter.family.map(|family| ("family", family));
        for (option, typed, prefix) in [
            ("src", self.src, filter.src),
            ("dst", self.dst, filter.dst),
            ("reply-src", self.reply_src, filter.reply_src),
            ("reply-dst", self.reply_dst, filter.reply_dst),
            ("host", self.host, filter.host),
        ] {
            let (Some(typed), Some(prefix)) = (typed, prefix) else {
                continue;
            };
            let family = prefix.family();
            let (other, asks) = *first.get_or_insert((option, family));
            if asks != family {
                return Err(FilterError::Families {
                    option,
                    value: typed.to_owned(),
                    is: family.name(),
                    other,
                    asks: asks.name(),
                });
            }
        }
        Ok(first.map(|(_, family)| family))
    }
}

const FAMILY: &str = "expected ipv4 or ipv6";
const PROTO: &str = "expected a protocol's name, such as tcp, or its number from 0 to 255";
const ZONE: &str = "expected a zone from 0 to 65535";
const MARK: &str = "expected a mark of 32 bits, with a mask if wanted, such as 0x10/0xff";

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

fn family(text: &str) -> Option<Family> {
    [Family::Ipv4, Family::Ipv6]
        .into_iter()
        .find(|family| family.name().eq_ignore_ascii_case(text))
}

fn prefix(text: &str) -> Option<Prefix> {
    let (addr, bits) = match text.split_once('/') {
        Some((addr, bits)) => (addr, Some(bits)),
        None => (text, None),
    };
    let addr: IpAddr = addr.parse().ok()?;
    let most = if addr.is_ipv4() { 32 } else { 128 };
    let bits: u8 = match bits {
        Some(bits) => number(bits)?,
        None => most,
    };
    if bits > most {
        return None;
    }
    let dropped = u32::from(most - bits);
    let addr = match addr {
        IpAddr::V4(addr) => {
            let mask = u32::MAX.checked_shl(dropped).unwrap_or(0);
            IpAddr::V4((u32::from(addr) & mask).into())
        }
        IpAddr::V6(addr) => {
            let mask = u128::MAX.checked_shl(dropped).unwrap_or(0);
            IpAddr::V6((u128::from(addr) & mask).into())
        }
    };
    Some(Prefix { addr, bits })
}

/// A number in decimal, or in hexadecimal after `0x`; unlike `parse`, without a `+`.
fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    T::try_from(u64::from_str_radix(digits, radix).ok()?).ok()
}

fn masked(text: &str) -> Option<Masked> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (number(value)?, number(mask)?),
        None => (number(text)?, u32::MAX),
    };
    Some(Masked { value, mask })
}
