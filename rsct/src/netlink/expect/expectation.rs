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

/// Bytes of `struct nfgenmsg`, which stands before the attributes.
const NFGENMSG_BYTES: usize = 4;

/// Bits of an expectation's flags (include/uapi/linux/netfilter/nf_conntrack_common.h).
pub mod flags {
    /// It stays after a connection has met it.
    pub const PERMANENT: u32 = 1 << 0;
    /// No connection meets it.
    pub const INACTIVE: u32 = 1 << 1;
    /// A helper in user space made it.
    pub const USERSPACE: u32 = 1 << 2;

    /// Every bit's name, the lowest first.
    pub const NAMES: [&str; 3] = ["PERMANENT", "INACTIVE", "USERSPACE"];

    /// The names of the bits that are set.
    pub fn names(flags: u32) -> impl Iterator<Item = &'static str> {
        let set = move |(bit, _): &(usize, &&'static str)| flags & (1 << bit) != 0;
        NAMES.iter().enumerate().filter(set).map(|(_, name)| *name)
    }
}

/// How the expected connection is translated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nat {
    /// The direction of the master that the expected connection's first packet goes in: 0 original, 1 reply.
    pub dir: u32,
    /// What the helper wrote over: the source address and port are those the peer was told of at first.
    pub tuple: Tuple,
}

/// One expectation, borrowing from the message it came in. `None` where the kernel sent nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation<'a> {
    /// What the first packet of the expected connection looks like, where the mask has bits.
    pub tuple: Tuple,
    /// Which bits of the tuple count. The kernel keeps a mask of the source alone, and says that every bit of the
    /// destination counts.
    pub mask: Tuple,
    /// The original tuple of the connection that the expectation came from.
    pub master: Tuple,
    /// Seconds until it expires.
    pub timeout: Option<u32>,
    /// A number that tells it from any other while both live.
    pub id: Option<u32>,
    /// The bits of [`flags`].
    pub flags: Option<u32>,
    /// Which of its helper's policies it is under.
    pub class: Option<u32>,
    /// The zone; kernels up to now never send it.
    pub zone: Option<u16>,
    /// The master's helper.
    pub helper: Option<&'a [u8]>,
    /// The function that the kernel calls for the expected connection.
    pub function: Option<&'a [u8]>,
    /// How the expected connection is translated.
    pub nat: Option<Nat>,
    attributes: &'a [u8],
    has_unknown: bool,
}

impl<'a> Expectation<'a> {
    /// Reads the payload of a `IPCTNL_MSG_EXP_NEW` or `_DELETE` message: `struct nfgenmsg`, then attributes.
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
        // The kernel leaves none of the three out; a protocol number of 0 is possible, a family of 0 is not.
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

    /// The attributes that this version of rsct doesn't know.
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

    /// Writes its attributes as the kernel writes them.
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
