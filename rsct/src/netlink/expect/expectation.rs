//! One expectation, decoded from its message.

use rsct_common::Tuple;

use super::attribute::*;
use crate::{
    family::Family,
    netlink::{
        attr::{Attr, AttrError, Attrs},
        conntrack::{DecodeError, emit_tuple, parse_tuple},
        emit::Emitter,
    },
};

/// Size of `struct nfgenmsg`, which precedes the attributes.
const NFGENMSG_BYTES: usize = 4;

/// Bits of an expectation's flags (include/uapi/linux/netfilter/nf_conntrack_common.h).
pub(crate) mod flags {
    /// It remains after a match.
    pub(crate) const PERMANENT: u32 = 1 << 0;
    /// No connection matches it.
    pub(crate) const INACTIVE: u32 = 1 << 1;
    /// A user-space helper created it.
    pub(crate) const USERSPACE: u32 = 1 << 2;

    /// Names of all bits, lowest first.
    pub(crate) const NAMES: [&str; 3] = ["PERMANENT", "INACTIVE", "USERSPACE"];

    /// Names of the bits that are set.
    pub(crate) fn names(flags: u32) -> impl Iterator<Item = &'static str> {
        let set = move |(bit, _): &(usize, &&'static str)| flags & (1 << bit) != 0;
        NAMES.iter().enumerate().filter(set).map(|(_, name)| *name)
    }
}

/// NAT of the expected connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nat {
    /// Direction of the expected connection's first packet, relative to the master: 0 original, 1 reply.
    pub dir: u32,
    /// The values that the helper replaced: the source address and port that the peer originally announced.
    pub tuple: Tuple,
}

/// One expectation, borrowed from its message. A field is `None` if the kernel did not send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation<'a> {
    /// The expected connection's first packet, in the bits of the mask.
    pub tuple: Tuple,
    /// Mask of the tuple. The kernel stores only the source's mask, and reports all bits of the destination
    /// as set.
    pub mask: Tuple,
    /// The original tuple of the connection that the expectation belongs to.
    pub master: Tuple,
    /// Seconds until it expires.
    pub timeout: Option<u32>,
    /// A number that is unique among the expectations that exist at one time.
    pub id: Option<u32>,
    /// The bits of `flags`.
    pub flags: Option<u32>,
    /// Index of the helper's policy for it.
    pub class: Option<u32>,
    /// The zone; no kernel so far sends it.
    pub zone: Option<u16>,
    /// The master's helper.
    pub helper: Option<&'a [u8]>,
    /// The function that the kernel calls for the expected connection.
    pub function: Option<&'a [u8]>,
    /// NAT of the expected connection.
    pub nat: Option<Nat>,
    attributes: &'a [u8],
    has_unknown: bool,
}

impl<'a> Expectation<'a> {
    /// Parses the payload of an `IPCTNL_MSG_EXP_NEW` or `_DELETE` message: `struct nfgenmsg`, then
    /// attributes.
    pub fn parse(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let got = payload.len();
        let attributes = payload.get(NFGENMSG_BYTES..).ok_or(DecodeError::Header { got })?;
        let mut expectation = Self {
            tuple: Tuple::default(),
            mask: Tuple::default(),
            master: Tuple::default(),
            timeout: None,
            id: None,
            flags: None,
            class: None,
            zone: None,
            helper: None,
            function: None,
            nat: None,
            attributes,
            has_unknown: false,
        };
        for attr in Attrs::new(attributes) {
            let attr = attr.map_err(DecodeError::Attributes)?;
            if let Err(source) = expectation.take(attr) {
                return Err(DecodeError::Attribute {
                    name: name(attr.kind),
                    source,
                });
            }
        }
        // The kernel always sends all three; a protocol number of 0 is possible, a family of 0 is not.
        for (tuple, name) in [
            (&expectation.tuple, "CTA_EXPECT_TUPLE"),
            (&expectation.mask, "CTA_EXPECT_MASK"),
            (&expectation.master, "CTA_EXPECT_MASTER"),
        ] {
            if tuple.family() == 0 {
                return Err(DecodeError::Missing { name });
            }
        }
        Ok(expectation)
    }

    /// Attributes unknown to this version of rsct.
    pub fn unknown(&self) -> impl Iterator<Item = Attr<'a>> {
        let attributes = if self.has_unknown { self.attributes } else { &[] };
        Attrs::new(attributes)
            .flatten()
            .filter(|attr| name(attr.kind) == UNKNOWN)
    }

    /// The address family.
    pub fn family(&self) -> Option<Family> {
        Family::from_number(self.tuple.family())
    }

    /// Writes its attributes in the kernel's format.
    pub fn emit(&self, out: &mut Emitter<'_>) {
        emit_tuple(out, CTA_EXPECT_TUPLE, &self.tuple, None);
        emit_tuple(out, CTA_EXPECT_MASK, &self.mask, None);
        emit_tuple(out, CTA_EXPECT_MASTER, &self.master, None);
        if let Some(nat) = &self.nat {
            nat.emit(out);
        }
        for (kind, value) in [
            (CTA_EXPECT_TIMEOUT, self.timeout),
            (CTA_EXPECT_ID, self.id),
            (CTA_EXPECT_FLAGS, self.flags),
            (CTA_EXPECT_CLASS, self.class),
        ] {
            if let Some(value) = value {
                out.be32(kind, value);
            }
        }
        for (kind, text) in [
            (CTA_EXPECT_HELP_NAME, self.helper),
            (CTA_EXPECT_FN, self.function),
        ] {
            if let Some(text) = text {
                out.string(kind, text);
            }
        }
        if let Some(zone) = self.zone {
            out.be16(CTA_EXPECT_ZONE, zone);
        }
        for attr in self.unknown() {
            out.put(attr.kind, attr.payload);
        }
    }

    fn take(&mut self, attr: Attr<'a>) -> Result<(), AttrError> {
        match attr.kind {
            CTA_EXPECT_TUPLE => self.tuple = parse_tuple(attr, 0)?.0,
            CTA_EXPECT_MASK => self.mask = parse_tuple(attr, 0)?.0,
            CTA_EXPECT_MASTER => self.master = parse_tuple(attr, 0)?.0,
            CTA_EXPECT_TIMEOUT => self.timeout = Some(attr.be32()?),
            CTA_EXPECT_ID => self.id = Some(attr.be32()?),
            CTA_EXPECT_FLAGS => self.flags = Some(attr.be32()?),
            CTA_EXPECT_CLASS => self.class = Some(attr.be32()?),
            CTA_EXPECT_ZONE => self.zone = Some(attr.be16()?),
            CTA_EXPECT_HELP_NAME => self.helper = Some(attr.string()),
            CTA_EXPECT_FN => self.function = Some(attr.string()),
            CTA_EXPECT_NAT => self.nat = Some(Nat::parse(attr)?),
            _ => self.has_unknown = true,
        }
        Ok(())
    }
}

impl Nat {
    fn parse(attr: Attr<'_>) -> Result<Self, AttrError> {
        let mut nat = Self::default();
        for attr in attr.nested() {
            let attr = attr?;
            match attr.kind {
                CTA_EXPECT_NAT_DIR => nat.dir = attr.be32()?,
                CTA_EXPECT_NAT_TUPLE => nat.tuple = parse_tuple(attr, 0)?.0,
                _ => {}
            }
        }
        Ok(nat)
    }

    pub(super) fn emit(&self, out: &mut Emitter<'_>) {
        out.nest(CTA_EXPECT_NAT, |out| {
            out.be32(CTA_EXPECT_NAT_DIR, self.dir);
            emit_tuple(out, CTA_EXPECT_NAT_TUPLE, &self.tuple, None);
        });
    }
}

const UNKNOWN: &str = "an unknown attribute";

/// The kernel's name for an attribute, for those that [`Expectation`] reads.
fn name(kind: u16) -> &'static str {
    match kind {
        CTA_EXPECT_TUPLE => "CTA_EXPECT_TUPLE",
        CTA_EXPECT_MASK => "CTA_EXPECT_MASK",
        CTA_EXPECT_MASTER => "CTA_EXPECT_MASTER",
        CTA_EXPECT_TIMEOUT => "CTA_EXPECT_TIMEOUT",
        CTA_EXPECT_ID => "CTA_EXPECT_ID",
        CTA_EXPECT_FLAGS => "CTA_EXPECT_FLAGS",
        CTA_EXPECT_CLASS => "CTA_EXPECT_CLASS",
        CTA_EXPECT_ZONE => "CTA_EXPECT_ZONE",
        CTA_EXPECT_HELP_NAME => "CTA_EXPECT_HELP_NAME",
        CTA_EXPECT_FN => "CTA_EXPECT_FN",
        CTA_EXPECT_NAT => "CTA_EXPECT_NAT",
        _ => UNKNOWN,
    }
}
