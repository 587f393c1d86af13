//! Requested NAT of an entry's addresses and ports; only in requests, because the kernel reports the result
//! in the reply tuple.

use std::net::IpAddr;

use super::attribute::*;
use crate::netlink::{
    attr::{Attr, AttrError},
    emit::Emitter,
};

/// Requested NAT of an entry's source or destination (`struct nf_nat_range2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nat {
    /// The address, or the first of a range.
    pub addr_min: Option<IpAddr>,
    /// The last address of a range.
    pub addr_max: Option<IpAddr>,
    /// The port, or the first of a range.
    pub port_min: Option<u16>,
    /// The last port of a range.
    pub port_max: Option<u16>,
}

impl Nat {
    /// One address and optionally one port.
    pub fn to(addr: Option<IpAddr>, port: Option<u16>) -> Self {
        Self {
            addr_min: addr,
            port_min: port,
            ..Self::default()
        }
    }
}

/// Parses `CTA_NAT_SRC` or `CTA_NAT_DST`.
pub(super) fn parse(attr: Attr<'_>) -> Result<Nat, AttrError> {
    let mut nat = Nat::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_NAT_V4_MINIP => nat.addr_min = Some(attr.array::<4>()?.into()),
            CTA_NAT_V4_MAXIP => nat.addr_max = Some(attr.array::<4>()?.into()),
            CTA_NAT_V6_MINIP => nat.addr_min = Some(attr.array::<16>()?.into()),
            CTA_NAT_V6_MAXIP => nat.addr_max = Some(attr.array::<16>()?.into()),
            CTA_NAT_PROTO => {
                for attr in attr.nested() {
                    let attr = attr?;
                    match attr.kind {
                        CTA_PROTONAT_PORT_MIN => nat.port_min = Some(attr.be16()?),
                        CTA_PROTONAT_PORT_MAX => nat.port_max = Some(attr.be16()?),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(nat)
}

/// Writes `CTA_NAT_SRC` or `CTA_NAT_DST`.
pub(super) fn emit(out: &mut Emitter<'_>, kind: u16, nat: &Nat) {
    out.nest(kind, |out| {
        address(out, nat.addr_min, CTA_NAT_V4_MINIP, CTA_NAT_V6_MINIP);
        address(out, nat.addr_max, CTA_NAT_V4_MAXIP, CTA_NAT_V6_MAXIP);
        if nat.port_min.is_some() || nat.port_max.is_some() {
            out.nest(CTA_NAT_PROTO, |out| {
                for (kind, port) in [
                    (CTA_PROTONAT_PORT_MIN, nat.port_min),
                    (CTA_PROTONAT_PORT_MAX, nat.port_max),
                ] {
                    if let Some(port) = port {
                        out.be16(kind, port);
                    }
                }
            });
        }
    });
}

fn address(out: &mut Emitter<'_>, addr: Option<IpAddr>, v4: u16, v6: u16) {
    match addr {
        Some(IpAddr::V4(addr)) => out.put(v4, &addr.octets()),
        Some(IpAddr::V6(addr)) => out.put(v6, &addr.octets()),
        None => {}
    }
}
