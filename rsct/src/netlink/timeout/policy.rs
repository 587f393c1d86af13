//! A protocol's timeouts, decoded from a message: a policy's, or the namespace's defaults.

use super::attribute::*;
use crate::netlink::{
    attr::{Attr, AttrError, Attrs},
    conntrack::DecodeError,
    emit::Emitter,
};

/// Size of `struct nfgenmsg`, which precedes the attributes.
const NFGENMSG_BYTES: usize = 4;

/// A protocol's timeouts, in the kernel's format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// The address family: 2 IPv4, 10 IPv6. An answer about defaults repeats that of the request.
    pub l3proto: u16,
    /// The protocol, 255 for the generic one. The kernel stores 255 in a policy whose protocol it has no
    /// handler for.
    pub l4proto: u8,
    /// Each state's attribute, and its seconds. A request contains only the values to set.
    pub values: Vec<(u16, u32)>,
}

impl Timeouts {
    /// The seconds of the state with this attribute.
    pub fn seconds(&self, attribute: u16) -> Option<u32> {
        let of = |(kind, _): &&(u16, u32)| *kind == attribute;
        self.values.iter().find(of).map(|(_, seconds)| *seconds)
    }

    /// Writes the attributes.
    pub(super) fn emit(&self, out: &mut Emitter<'_>) {
        self.emit_protocols(out);
        if !self.values.is_empty() {
            out.nest(CTA_TIMEOUT_DATA, |out| {
                for (attribute, seconds) in &self.values {
                    out.be32(*attribute, *seconds);
                }
            });
        }
    }

    /// Writes the protocol's attributes.
    pub(super) fn emit_protocols(&self, out: &mut Emitter<'_>) {
        out.be16(CTA_TIMEOUT_L3PROTO, self.l3proto);
        out.u8(CTA_TIMEOUT_L4PROTO, self.l4proto);
    }

    /// Parses the states' values.
    pub(in crate::netlink) fn parse_values(&mut self, attr: Attr<'_>) -> Result<(), AttrError> {
        for attr in attr.nested() {
            let attr = attr?;
            self.values.push((attr.kind, attr.be32()?));
        }
        Ok(())
    }
}

/// The content of a message of this subsystem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Its name, at most 31 bytes of any kind but zero; `None` in an answer about defaults.
    pub name: Option<Vec<u8>>,
    /// Its values.
    pub timeouts: Timeouts,
    /// Its reference count: one for the list that contains it; on older kernels one more per rule; on those
    /// whose `struct nf_ct_timeout` has a refcnt (6.1.191, 6.12.112, 7.3) two per rule and one per flow.
    pub uses: Option<u32>,
}

impl Policy {
    /// Parses the payload of an `IPCTNL_MSG_TIMEOUT_NEW` or `_DEFAULT_SET` message: `struct nfgenmsg`, then
    /// attributes.
    pub fn parse(payload: &[u8]) -> Result<Self, DecodeError> {
        let got = payload.len();
        let attributes = payload.get(NFGENMSG_BYTES..).ok_or(DecodeError::Header { got })?;
        let mut policy = Self::default();
        for attr in Attrs::new(attributes) {
            let attr = attr.map_err(DecodeError::Attributes)?;
            policy.take(attr).map_err(|source| DecodeError::Attribute {
                name: name(attr.kind),
                source,
            })?;
        }
        Ok(policy)
    }

    fn take(&mut self, attr: Attr<'_>) -> Result<(), AttrError> {
        match attr.kind {
            CTA_TIMEOUT_NAME => self.name = Some(attr.string().to_vec()),
            CTA_TIMEOUT_L3PROTO => self.timeouts.l3proto = attr.be16()?,
            CTA_TIMEOUT_L4PROTO => self.timeouts.l4proto = attr.u8()?,
            CTA_TIMEOUT_DATA => self.timeouts.parse_values(attr)?,
            CTA_TIMEOUT_USE => self.uses = Some(attr.be32()?),
            _ => {}
        }
        Ok(())
    }
}
