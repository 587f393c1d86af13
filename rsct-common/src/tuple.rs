//! One direction of a flow.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One direction of a flow, byte for byte as the kernel lays out `struct nf_conntrack_tuple`
/// (include/net/netfilter/nf_conntrack_tuple.h), so that the programs copy it in five loads.
///
/// The loader checks this layout against the running kernel's BTF and refuses to trace if it differs. Parts made from
/// netlink are zero where the kernel leaves the bytes zero, so the whole struct serves as a hash key from any source.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
pub struct Tuple {
    /// Source address; IPv4 in the first four bytes, the rest zero.
    pub src: [u8; 16],
    /// Source port, ICMP id or GRE key, in network order.
    pub src_l4: [u8; 2],
    /// `AF_INET` or `AF_INET6`, in the machine's order.
    pub l3num: [u8; 2],
    /// Destination address; IPv4 in the first four bytes, the rest zero.
    pub dst: [u8; 16],
    /// Destination port, ICMP type and code, or GRE key, in network order.
    pub dst_l4: [u8; 2],
    /// IP protocol number.
    pub protonum: u8,
    /// 0 original, 1 reply.
    pub dir: u8,
}

const _: () = assert!(size_of::<Tuple>() == 40);

/// A [`Tuple`] as eight-byte words: records hold these, so that the programs store words, not bytes.
pub type TupleWords = [u64; 5];

impl Tuple {
    /// Reads a tuple from a record.
    pub fn from_words(words: TupleWords) -> Self {
        zerocopy::transmute!(words)
    }

    /// Returns the words of this tuple in a record.
    pub fn to_words(self) -> TupleWords {
        zerocopy::transmute!(self)
    }

    /// Returns `AF_INET` (2) or `AF_INET6` (10).
    pub fn family(&self) -> u16 {
        u16::from_ne_bytes(self.l3num)
    }

    /// Returns the source address.
    pub fn src_addr(&self) -> IpAddr {
        addr(self.family(), &self.src)
    }

    /// Returns the destination address.
    pub fn dst_addr(&self) -> IpAddr {
        addr(self.family(), &self.dst)
    }

    /// Returns the source port, for protocols that have ports (also the ICMP id, the GRE source key).
    pub fn src_port(&self) -> u16 {
        u16::from_be_bytes(self.src_l4)
    }

    /// Returns the destination port, for protocols that have ports (also the GRE destination key).
    pub fn dst_port(&self) -> u16 {
        u16::from_be_bytes(self.dst_l4)
    }

    /// Returns ICMP type and code.
    pub fn icmp_type_code(&self) -> (u8, u8) {
        (self.dst_l4[0], self.dst_l4[1])
    }
}

/// Linux's `AF_INET6`; everything else is shown as IPv4, because conntrack tracks nothing else.
const AF_INET6: u16 = 10;

fn addr(family: u16, bytes: &[u8; 16]) -> IpAddr {
    if family == AF_INET6 {
        IpAddr::V6(Ipv6Addr::from(*bytes))
    } else {
        let [a, b, c, d, ..] = *bytes;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    }
}
