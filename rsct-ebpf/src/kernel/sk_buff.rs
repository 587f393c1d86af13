//! `struct sk_buff` (include/linux/skbuff.h).

use core::marker::PhantomData;

use super::{Memory, Untyped, at, field};
use crate::globals;

/// A packet.
#[derive(Clone, Copy)]
pub struct SkBuff<M>(*const u8, PhantomData<M>);

/// The low three bits of `_nfct` are the ctinfo (NFCT_INFOMASK).
const NFCT_INFO_MASK: u64 = 7;

/// The entry and ctinfo of a packet.
#[derive(Clone, Copy)]
pub struct Nfct(pub u64);

impl Nfct {
    /// Returns the entry's address, or null.
    #[inline(always)]
    pub fn ct(self) -> *const u8 {
        (self.0 & !NFCT_INFO_MASK) as *const u8
    }

    /// Returns the `enum ip_conntrack_info`.
    #[inline(always)]
    pub fn ctinfo(self) -> u8 {
        (self.0 & NFCT_INFO_MASK) as u8
    }

    /// True if the packet has its entry's reply direction (`CTINFO2DIR`).
    #[inline(always)]
    pub fn is_reply(self) -> bool {
        const IP_CT_IS_REPLY: u8 = 3;
        self.ctinfo() >= IP_CT_IS_REPLY
    }
}

impl<M: Memory> SkBuff<M> {
    #[inline(always)]
    pub fn new(pointer: *const u8) -> Self {
        Self(pointer, PhantomData)
    }

    #[inline(always)]
    pub fn pointer(self) -> *const u8 {
        self.0
    }

    #[inline(always)]
    pub fn address(self) -> u64 {
        self.0 as u64
    }

    #[inline(always)]
    pub fn nfct(self) -> Nfct {
        Nfct(field::<M, _>(self.0, &globals::SK_BUFF_NFCT))
    }

    #[inline(always)]
    pub fn len_bytes(self) -> u32 {
        field::<M, _>(self.0, &globals::SK_BUFF_LEN)
    }

    /// Returns the entry, and the length if both are read with one helper call: they are neighbours.
    #[inline(always)]
    pub fn nfct_and_length(self) -> (Nfct, Option<u32>) {
        let place = globals::SK_BUFF_NFCT.load();
        if M::IS_TYPED || globals::SK_BUFF_LEN.load() != place + 8 {
            return (self.nfct(), None);
        }
        let [nfct, length]: [u64; 2] = Untyped::read(at(self.0, place));
        // In memory, the length comes first.
        (
            Nfct(nfct),
            Some(if cfg!(target_endian = "big") {
                length >> 32
            } else {
                length
            } as u32),
        )
    }

    /// Returns the number of bytes in fragments, beyond the linear part.
    #[inline(always)]
    pub fn data_len(self) -> u32 {
        field::<M, _>(self.0, &globals::SK_BUFF_DATA_LEN)
    }

    #[inline(always)]
    pub fn data(self) -> *const u8 {
        field::<M, u64>(self.0, &globals::SK_BUFF_DATA) as *const u8
    }

    #[inline(always)]
    pub fn head(self) -> *const u8 {
        field::<M, u64>(self.0, &globals::SK_BUFF_HEAD) as *const u8
    }

    #[inline(always)]
    pub fn network_header(self) -> u16 {
        field::<M, _>(self.0, &globals::SK_BUFF_NETWORK_HEADER)
    }
}
