//! A packet's own headers, for packets without an entry.

use rsct_common::{TupleWords, record::IcmpError};

use super::{Memory, Untyped, at, sk_buff::SkBuff};

const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_DCCP: u8 = 33;
const IPPROTO_SCTP: u8 = 132;
const IPPROTO_UDPLITE: u8 = 136;
const IPPROTO_ICMP: u8 = 1;
const IPPROTO_ICMPV6: u8 = 58;
const AF_INET6: u8 = 10;

/// Returns the packet's own addresses and ports as a tuple.
#[inline(always)]
pub fn tuple_of<M: Memory>(skb: SkBuff<M>, family: u8) -> TupleWords {
    let network = at(skb.head(), skb.network_header() as u64);
    let mut bytes = [0u8; 40];
    let (protonum, transport) = if family == AF_INET6 {
        let addresses: [u64; 4] = Untyped::read(at(network, 8));
        bytes[0..8].copy_from_slice(&addresses[0].to_ne_bytes());
        bytes[8..16].copy_from_slice(&addresses[1].to_ne_bytes());
        bytes[20..28].copy_from_slice(&addresses[2].to_ne_bytes());
        bytes[28..36].copy_from_slice(&addresses[3].to_ne_bytes());
        (Untyped::read::<u8>(at(network, 6)), at(network, 40))
    } else {
        let first: u8 = Untyped::read(network);
        let addresses: [u32; 2] = Untyped::read(at(network, 12));
        bytes[0..4].copy_from_slice(&addresses[0].to_ne_bytes());
        bytes[20..24].copy_from_slice(&addresses[1].to_ne_bytes());
        (
            Untyped::read::<u8>(at(network, 9)),
            at(network, (first as u64 & 15) * 4),
        )
    };
    let words: [u16; 4] = Untyped::read(transport);
    match protonum {
        IPPROTO_TCP | IPPROTO_UDP | IPPROTO_DCCP | IPPROTO_SCTP | IPPROTO_UDPLITE => {
            bytes[16..18].copy_from_slice(&words[0].to_ne_bytes());
            bytes[36..38].copy_from_slice(&words[1].to_ne_bytes());
        }
        IPPROTO_ICMP | IPPROTO_ICMPV6 => {
            // Type and code are first; the id follows the checksum.
            bytes[16..18].copy_from_slice(&words[2].to_ne_bytes());
            bytes[36..38].copy_from_slice(&words[0].to_ne_bytes());
        }
        _ => {}
    }
    bytes[18..20].copy_from_slice(&(family as u16).to_ne_bytes());
    bytes[38] = protonum;
    // SAFETY: forty bytes are five words.
    unsafe { core::mem::transmute::<[u8; 40], TupleWords>(bytes) }
}

/// The fields of a TCP header that rsct shows.
#[derive(Clone, Copy)]
pub struct Tcp {
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    pub flags: u8,
}

/// Reads the TCP header at `dataoff`, unless it lies beyond the linear part.
#[inline(always)]
pub fn tcp_header<M: Memory>(skb: SkBuff<M>, dataoff: u32) -> Option<Tcp> {
    const FIXED_BYTES: u32 = 20;
    if dataoff + FIXED_BYTES > skb.len_bytes() - skb.data_len() {
        return None;
    }
    let header: [u32; 4] = Untyped::read(at(skb.data(), dataoff as u64));
    let flags_and_window = u32::from_be(header[3]);
    Some(Tcp {
        seq: u32::from_be(header[1]),
        ack: u32::from_be(header[2]),
        window: flags_and_window as u16,
        flags: (flags_and_window >> 16) as u8,
    })
}

/// Reads the ICMP header at `dataoff`, if it is an error's and lies in the linear part.
#[inline(always)]
pub fn icmp_error<M: Memory>(skb: SkBuff<M>, dataoff: u32) -> Option<IcmpError> {
    /// Destination unreachable, source quench, redirect, time exceeded, parameter problem
    /// (nf_conntrack_icmpv4_error() tracks no others).
    const ERRORS: u64 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 11 | 1 << 12;
    const ERRORS_V6: u64 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4;
    const HEADER_BYTES: u32 = 8;
    if dataoff + HEADER_BYTES > skb.len_bytes() - skb.data_len() {
        return None;
    }
    let [kind, code]: [u8; 2] = Untyped::read(at(skb.data(), dataoff as u64));
    let network = at(skb.head(), skb.network_header() as u64);
    let v6 = family_of(skb) == AF_INET6;
    let errors = if v6 { ERRORS_V6 } else { ERRORS };
    if kind >= 64 || errors >> kind & 1 == 0 {
        return None;
    }
    let from = if v6 {
        Untyped::read(at(network, 8))
    } else {
        [Untyped::read(at(network, 12)), 0, 0, 0]
    };
    Some(IcmpError { kind, code, from })
}

/// Returns `AF_INET` or `AF_INET6`, from the packet's own header.
#[inline(always)]
pub fn family_of<M: Memory>(skb: SkBuff<M>) -> u8 {
    const AF_INET: u8 = 2;
    let first: u8 = Untyped::read(at(skb.head(), skb.network_header() as u64));
    if first >> 4 == 6 { AF_INET6 } else { AF_INET }
}

/// A TCP segment.
#[derive(Clone, Copy)]
pub struct Segment {
    pub tcp: Tcp,
    /// The sequence number after its last (`segment_seq_plus_len`, net/netfilter/nf_conntrack_proto_tcp.c).
    pub end: u32,
}

/// Returns the TCP segment of an IPv4 packet, or of an IPv6 packet without extension headers, if its header is
/// complete.
#[inline(always)]
pub fn segment(skb: SkBuff<Untyped>) -> Option<Segment> {
    const FIN: u32 = 1;
    const SYN: u32 = 2;
    let network = at(skb.head(), skb.network_header() as u64);
    let first: u8 = Untyped::read(network);
    let (protonum, header_bytes) = if first >> 4 == 6 {
        (Untyped::read::<u8>(at(network, 6)), 40)
    } else {
        (Untyped::read::<u8>(at(network, 9)), (first as u32 & 15) * 4)
    };
    if protonum != IPPROTO_TCP {
        return None;
    }
    let tcp = tcp_header(skb, header_bytes)?;
    let data_offset: u8 = Untyped::read(at(network, header_bytes as u64 + 12));
    let flags = tcp.flags as u32;
    let payload = skb
        .len_bytes()
        .wrapping_sub(header_bytes + (data_offset as u32 >> 4) * 4);
    let end = tcp
        .seq
        .wrapping_add(payload)
        .wrapping_add((flags & SYN) >> 1)
        .wrapping_add(flags & FIN);
    Some(Segment { tcp, end })
}
