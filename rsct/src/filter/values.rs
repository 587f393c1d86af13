//! Parsers of single values.

use std::net::IpAddr;

use super::{HelperName, Prefix, StateSet, Status, nat::Translation};
use crate::{family::Family, labels::LabelMap, names::status, netlink::conntrack::MaskedU32};

pub(crate) fn family(text: &str) -> Option<Family> {
    [Family::Ipv4, Family::Ipv6]
        .into_iter()
        .find(|family| family.name().eq_ignore_ascii_case(text))
}

pub(crate) fn prefix(text: &str) -> Option<Prefix> {
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

/// A decimal number, or a hexadecimal one after `0x`; unlike `parse`, rejects `+`.
pub(crate) fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    T::try_from(u64::from_str_radix(digits, radix).ok()?).ok()
}

/// A value with a mask that covers it: bits outside of the mask could never match.
pub(super) fn masked(text: &str) -> Option<MaskedU32> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (number(value)?, number(mask)?),
        None => (number(text)?, u32::MAX),
    };
    (value & !mask == 0).then_some(MaskedU32 { value, mask })
}

/// Status bits by the kernel's names, with `!` for a clear bit. `UNREPLIED` is conntrack's word for a clear
/// `SEEN_REPLY`.
pub(super) fn status(text: &str) -> Option<Status> {
    let mut status = Status::default();
    for word in text.split(',') {
        let (name, negated) = match word.strip_prefix('!') {
            Some(name) => (name, true),
            None => (word, false),
        };
        let (bit, negated) = if name.eq_ignore_ascii_case("UNREPLIED") {
            (status::SEEN_REPLY, !negated)
        } else {
            let known = |known: &&str| known.eq_ignore_ascii_case(name);
            (1 << status::NAMES.iter().position(known)?, negated)
        };
        if negated {
            status.clear |= bit;
        } else {
            status.set |= bit;
        }
    }
    Some(status)
}

/// States by the kernel's names: any of them or, with `!` before each, none of them.
pub(super) fn states(text: &str) -> Option<StateSet> {
    let mut set = StateSet::default();
    let negated = text.starts_with('!');
    for word in text.split(',') {
        let name = match (word.strip_prefix('!'), negated) {
            (Some(name), true) => name,
            (None, false) => word,
            _ => return None,
        };
        set = set.and(StateSet::named(name)?);
    }
    Some(if negated { set.others() } else { set })
}

/// Labels by name or number.
pub(super) fn labels(text: &str) -> Option<u128> {
    let names = LabelMap::load_default();
    let mut labels = 0u128;
    for word in text.split(',') {
        labels |= 1u128.checked_shl(names.find(word)?.into())?;
    }
    Some(labels)
}

pub(super) fn helper(text: &str) -> Option<HelperName> {
    HelperName::new(text)
}

/// `ADDR[/BITS]`, `ADDR:PORT`, `[V6]:PORT` or `:PORT`; empty for any NAT.
pub(super) fn translation(text: &str) -> Option<Translation> {
    let (addr, port) = if let Some(rest) = text.strip_prefix('[') {
        let (addr, rest) = rest.split_once(']')?;
        let port = if rest.is_empty() {
            None
        } else {
            Some(rest.strip_prefix(':')?)
        };
        (addr, port)
    } else {
        match text.split_once(':') {
            // More than one colon: an IPv6 address.
            Some((addr, port)) if !port.contains(':') => (addr, Some(port)),
            _ => (text, None),
        }
    };
    Some(Translation {
        addr: match addr {
            "" => None,
            addr => Some(prefix(addr)?),
        },
        port: match port {
            None => None,
            Some(port) => Some(number(port)?),
        },
    })
}
