//! The values of an entry as typed, and the set of those present.
//!
//! The order of options matters in a few cases, as it does in conntrack: setting an ICMP type also sets the reply's
//! type, by the family known so far or, if the family follows later, at that point.

use rsct_common::Tuple;

use crate::{family::Family, names::proto};

/// An attribute of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum EntryAttr {
    /// Source address of the original direction.
    OrigSrc,
    /// Destination address of the original direction.
    OrigDst,
    /// Source address of the reply direction.
    ReplSrc,
    /// Destination address of the reply direction.
    ReplDst,
    /// Source port or key of the original direction.
    OrigSport,
    /// Destination port or key of the original direction.
    OrigDport,
    /// Source port or key of the reply direction.
    ReplSport,
    /// Destination port or key of the reply direction.
    ReplDport,
    /// ICMP type.
    IcmpType,
    /// ICMP code.
    IcmpCode,
    /// ICMP id.
    IcmpId,
    /// Family of the original direction.
    OrigL3,
    /// Family of the reply direction.
    ReplL3,
    /// Protocol of the original direction.
    OrigL4,
    /// Protocol of the reply direction.
    ReplL4,
    /// Zone of the original direction.
    OrigZone,
    /// Zone of the reply direction.
    ReplZone,
}

/// A set of attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AttrSet(u32);

impl AttrSet {
    const fn of(attrs: &[EntryAttr]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < attrs.len() {
            bits |= 1 << attrs[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Returns whether the attribute is present.
    pub(super) fn has(self, attr: EntryAttr) -> bool {
        self.0 & (1 << attr as u8) != 0
    }

    fn add(&mut self, attr: EntryAttr) {
        self.0 |= 1 << attr as u8;
    }

    fn remove(&mut self, attr: EntryAttr) {
        self.0 &= !(1 << attr as u8);
    }
}

/// The attributes of a tuple of the original direction.
const ORIG: AttrSet = AttrSet::of(&[
    EntryAttr::OrigSrc,
    EntryAttr::OrigDst,
    EntryAttr::OrigSport,
    EntryAttr::OrigDport,
    EntryAttr::OrigL3,
    EntryAttr::OrigL4,
    EntryAttr::IcmpType,
    EntryAttr::IcmpCode,
    EntryAttr::IcmpId,
]);
/// The attributes of a tuple of the reply direction.
const REPL: AttrSet = AttrSet::of(&[
    EntryAttr::ReplSrc,
    EntryAttr::ReplDst,
    EntryAttr::ReplSport,
    EntryAttr::ReplDport,
    EntryAttr::ReplL3,
    EntryAttr::ReplL4,
]);

/// NAT of one end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TypedNat {
    /// The address.
    pub(super) addr: Option<[u8; 16]>,
    /// The address's family.
    pub(super) family: Option<Family>,
    /// The port.
    pub(super) port: Option<u16>,
}

/// Protocol-specific values outside of the tuples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProtocolValues {
    /// TCP's state.
    pub(super) tcp_state: Option<u8>,
    /// TCP's flags, for both directions.
    pub(super) tcp_flags: Option<u8>,
    /// SCTP's state.
    pub(super) sctp_state: Option<u8>,
    /// SCTP's verification tags.
    pub(super) sctp_vtags: [Option<u32>; 2],
    /// DCCP's state.
    pub(super) dccp_state: Option<u8>,
    /// DCCP's role.
    pub(super) dccp_role: Option<u8>,
}

/// An entry as it was typed.
#[derive(Clone, Debug, Default)]
pub(super) struct TypedEntry {
    /// The typed parts of the tuples.
    pub(super) set: AttrSet,
    /// The original direction.
    pub(super) orig: Tuple,
    /// The reply direction.
    pub(super) repl: Tuple,
    /// The original direction's own zone.
    pub(super) orig_zone: u16,
    /// The reply direction's own zone.
    pub(super) repl_zone: u16,
    /// The zone.
    pub(super) zone: Option<u16>,
    /// Seconds until it expires.
    pub(super) timeout: Option<u32>,
    /// The status bits.
    pub(super) status: Option<u32>,
    /// The security mark.
    pub(super) secmark: Option<u32>,
    /// The id.
    pub(super) id: Option<u32>,
    /// New source address and port.
    pub(super) snat: TypedNat,
    /// New destination address and port.
    pub(super) dnat: TypedNat,
    /// Protocol-specific values.
    pub(super) protocol: ProtocolValues,
}

impl TypedEntry {
    /// Sets an address, and the family of its direction.
    pub(super) fn set_address(&mut self, attr: EntryAttr, family: Family, address: [u8; 16]) {
        let (tuple, is_source) = match attr {
            EntryAttr::OrigSrc => (&mut self.orig, true),
            EntryAttr::OrigDst => (&mut self.orig, false),
            EntryAttr::ReplSrc => (&mut self.repl, true),
            _ => (&mut self.repl, false),
        };
        if is_source {
            tuple.src = address;
        } else {
            tuple.dst = address;
        }
        self.set.add(attr);
        let is_reply = matches!(attr, EntryAttr::ReplSrc | EntryAttr::ReplDst);
        self.set_family(is_reply, family);
    }

    /// Sets a direction's family.
    pub(super) fn set_family(&mut self, is_reply: bool, family: Family) {
        let number = u16::from(family as u8).to_ne_bytes();
        if is_reply {
            self.repl.l3num = number;
            self.set.add(EntryAttr::ReplL3);
        } else {
            self.orig.l3num = number;
            self.set.add(EntryAttr::OrigL3);
        }
        if self.set.has(EntryAttr::IcmpType) {
            self.settle_icmp_reply();
        }
    }

    /// Removes an address, which is matched by its prefix instead.
    pub(super) fn unset_address(&mut self, attr: EntryAttr) {
        self.set.remove(attr);
    }

    /// Sets the original direction's protocol.
    pub(super) fn set_protocol(&mut self, number: u8) {
        self.orig.protonum = number;
        self.set.add(EntryAttr::OrigL4);
    }

    /// Sets the reply direction's protocol.
    pub(super) fn set_reply_protocol(&mut self, number: u8) {
        self.repl.protonum = number;
        self.set.add(EntryAttr::ReplL4);
    }

    /// Sets a port or key, and the protocol of its direction.
    pub(super) fn set_port(&mut self, attr: EntryAttr, port: u16, protocol: u8) {
        let port = port.to_be_bytes();
        match attr {
            EntryAttr::OrigSport => self.orig.src_l4 = port,
            EntryAttr::OrigDport => self.orig.dst_l4 = port,
            EntryAttr::ReplSport => self.repl.src_l4 = port,
            _ => self.repl.dst_l4 = port,
        }
        self.set.add(attr);
        if matches!(attr, EntryAttr::ReplSport | EntryAttr::ReplDport) {
            self.set_reply_protocol(protocol);
        } else {
            self.set_protocol(protocol);
        }
    }

    /// Sets ICMP's type.
    pub(super) fn set_icmp_type(&mut self, kind: u8) {
        self.orig.dst_l4[0] = kind;
        self.set.add(EntryAttr::IcmpType);
        self.settle_icmp_reply();
    }

    /// Sets ICMP's code.
    pub(super) fn set_icmp_code(&mut self, code: u8) {
        self.orig.dst_l4[1] = code;
        self.repl.dst_l4[1] = code;
        self.set.add(EntryAttr::IcmpCode);
    }

    /// Sets ICMP's id.
    pub(super) fn set_icmp_id(&mut self, id: u16) {
        self.orig.src_l4 = id.to_be_bytes();
        self.repl.src_l4 = id.to_be_bytes();
        self.set.add(EntryAttr::IcmpId);
    }

    /// Sets a direction's own zone.
    pub(super) fn set_zone_of(&mut self, attr: EntryAttr, zone: u16) {
        if attr == EntryAttr::OrigZone {
            self.orig_zone = zone;
        } else {
            self.repl_zone = zone;
        }
        self.set.add(attr);
    }

    /// Sets the type of the answering packet; 255, which the kernel refuses, if the type has no answer.
    fn settle_icmp_reply(&mut self) {
        let kind = self.orig.dst_l4[0];
        let family = Family::from_number(self.orig.family());
        self.repl.dst_l4[0] = match (family, kind) {
            (Some(Family::Ipv4), 8) => 0,
            (Some(Family::Ipv4), 0) => 8,
            (Some(Family::Ipv4), 13) => 14,
            (Some(Family::Ipv4), 14) => 13,
            (Some(Family::Ipv4), 15) => 16,
            (Some(Family::Ipv4), 16) => 15,
            (Some(Family::Ipv4), 17) => 18,
            (Some(Family::Ipv4), 18) => 17,
            (Some(Family::Ipv6), 128) => 129,
            (Some(Family::Ipv6), 129) => 128,
            (Some(Family::Ipv6), 139) => 140,
            (Some(Family::Ipv6), 140) => 139,
            _ => 255,
        };
    }

    /// Fills the reply direction with the inverted original one. Typed ports stay if a NAT address was typed too:
    /// entries with NAT at both ends are saved so.
    pub(super) fn complete_reply(&mut self) {
        let given = [EntryAttr::ReplSport, EntryAttr::ReplDport].map(|attr| self.set.has(attr));
        let is_translated = self.snat.addr.is_some() || self.dnat.addr.is_some();
        let ports = (self.repl.src_l4, self.repl.dst_l4);
        invert(&self.orig, &mut self.repl);
        if given == [true; 2] && is_translated {
            (self.repl.src_l4, self.repl.dst_l4) = ports;
        }
        self.set.0 |= ORIG.0 | REPL.0;
    }

    /// Fills the original direction with the inverted reply one.
    pub(super) fn complete_orig(&mut self) {
        invert(&self.repl, &mut self.orig);
        self.set.0 |= ORIG.0 | REPL.0;
    }

    /// Returns whether the original direction has any value.
    pub(super) fn has_orig(&self) -> bool {
        self.set.0 & (ORIG.0 | AttrSet::of(&[EntryAttr::OrigZone]).0) != 0
    }

    /// Returns whether the reply direction has any value.
    pub(super) fn has_repl(&self) -> bool {
        self.set.0 & (REPL.0 | AttrSet::of(&[EntryAttr::ReplZone]).0) != 0
    }
}

/// Swaps addresses and ports; the ICMP fields are already set.
fn invert(this: &Tuple, other: &mut Tuple) {
    other.l3num = this.l3num;
    other.protonum = this.protonum;
    other.src = this.dst;
    other.dst = this.src;
    if proto::has_ports(this.protonum) || this.protonum == proto::GRE {
        other.src_l4 = this.dst_l4;
        other.dst_l4 = this.src_l4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: [u8; 16] = [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn an_icmp_reply_does_not_depend_on_option_order() {
        let mut before = TypedEntry::default();
        before.set_icmp_type(8);
        before.set_address(EntryAttr::OrigSrc, Family::Ipv4, ADDRESS);
        let mut after = TypedEntry::default();
        after.set_address(EntryAttr::OrigSrc, Family::Ipv4, ADDRESS);
        after.set_icmp_type(8);
        assert_eq!(before.repl.dst_l4, [0, 0]);
        assert_eq!(after.repl.dst_l4, [0, 0]);
        after.set_icmp_type(3);
        assert_eq!(after.repl.dst_l4[0], 255);
    }

    #[test]
    fn a_reply_is_the_inverted_original() {
        let mut object = TypedEntry::default();
        object.set_address(EntryAttr::OrigSrc, Family::Ipv4, ADDRESS);
        object.set_port(EntryAttr::OrigSport, 1000, proto::UDP);
        object.complete_reply();
        assert_eq!(object.repl.dst, ADDRESS);
        assert_eq!(object.repl.dst_port(), 1000);
        assert_eq!(object.repl.protonum, proto::UDP);
        assert!(object.set.has(EntryAttr::ReplL4) && object.set.has(EntryAttr::OrigDport));
    }
}
