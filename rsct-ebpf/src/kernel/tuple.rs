//! `struct nf_conntrack_tuple`, read member by member.

use super::{Memory as _, Typed};

/// Reads the tuple at offset `at`.
///
/// The verifier does not allow a load across members of a typed struct, so the words are assembled from the members
/// (`rsct_common::field::TUPLE_LAYOUT`).
#[inline(always)]
pub fn words(at: impl Fn(u64) -> *const u8) -> [u64; 5] {
    let src_l4 = Typed::read::<u16>(at(16)) as u64;
    let l3num = Typed::read::<u16>(at(18)) as u64;
    let dst_first = Typed::read::<u32>(at(20)) as u64;
    let dst_last = Typed::read::<u32>(at(32)) as u64;
    let dst_l4 = Typed::read::<u16>(at(36)) as u64;
    let protonum = Typed::read::<u8>(at(38)) as u64;
    let dir = Typed::read::<u8>(at(39)) as u64;
    [
        Typed::read(at(0)),
        Typed::read(at(8)),
        src_l4 | l3num << 16 | dst_first << 32,
        Typed::read(at(24)),
        dst_last | dst_l4 << 32 | protonum << 48 | dir << 56,
    ]
}

/// True if the ports are an ICMP message's id, type and code.
#[inline(always)]
pub fn is_icmp(words: &[u64; 5]) -> bool {
    const IPPROTO_ICMP: u8 = 1;
    const IPPROTO_ICMPV6: u8 = 58;
    matches!(protonum(words), IPPROTO_ICMP | IPPROTO_ICMPV6)
}

/// Returns the protocol number in the words.
#[inline(always)]
pub fn protonum(words: &[u64; 5]) -> u8 {
    (words[4] >> 48) as u8
}

/// 0 original, 1 reply.
#[inline(always)]
pub fn direction(words: &[u64; 5]) -> u8 {
    (words[4] >> 56) as u8
}
