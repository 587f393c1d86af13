//! `struct nf_conn` (include/net/netfilter/nf_conntrack.h).

use core::marker::PhantomData;

use rsct_common::{TupleWords, field::ABSENT};

use super::{Memory, at, field, optional};
use crate::globals;

/// `IPS_SEEN_REPLY`: packets were seen in both directions.
pub const IPS_SEEN_REPLY: u32 = 1 << 1;

/// `IPS_CONFIRMED`: in the table.
pub const IPS_CONFIRMED: u32 = 1 << 3;

/// `IPS_DYING`: being deleted.
pub const IPS_DYING: u32 = 1 << 9;

/// `IPS_FIXED_TIMEOUT`: the timeout stays as it is.
pub const IPS_FIXED_TIMEOUT: u32 = 1 << 10;

/// `IPS_TEMPLATE`: not an entry, but the CT target's template, attached to a packet.
pub const IPS_TEMPLATE: u32 = 1 << 11;

pub const IPPROTO_TCP: u8 = 6;
const IPPROTO_DCCP: u8 = 33;
const IPPROTO_SCTP: u8 = 132;

/// An entry in any state.
#[derive(Clone, Copy)]
pub struct NfConn<M>(*const u8, PhantomData<M>);

impl<M: Memory> NfConn<M> {
    #[inline(always)]
    pub fn new(pointer: *const u8) -> Self {
        Self(pointer, PhantomData)
    }

    #[inline(always)]
    pub fn address(self) -> u64 {
        self.0 as u64
    }

    #[inline(always)]
    pub fn pointer(self) -> *const u8 {
        self.0
    }

    /// Returns the `struct net`, null on a kernel without network namespaces.
    #[inline(always)]
    pub fn net(self) -> *const u8 {
        match globals::NF_CONN_NET.load() {
            ABSENT => core::ptr::null(),
            offset => M::read::<u64>(at(self.0, offset)) as *const u8,
        }
    }

    #[inline(always)]
    pub fn status(self) -> u32 {
        field::<M, u64>(self.0, &globals::NF_CONN_STATUS) as u32
    }

    #[inline(always)]
    pub fn timeout(self) -> u32 {
        field::<M, _>(self.0, &globals::NF_CONN_TIMEOUT)
    }

    #[inline(always)]
    pub fn zone(self) -> u16 {
        optional::<M, _>(self.0, &globals::NF_CONN_ZONE)
    }

    #[inline(always)]
    pub fn mark(self) -> u32 {
        optional::<M, _>(self.0, &globals::NF_CONN_MARK)
    }

    /// Returns the inode number of the namespace, zero on a kernel without network namespaces.
    #[inline(always)]
    pub fn netns(self) -> u32 {
        if globals::NF_CONN_NET.load() == ABSENT {
            return 0;
        }
        field::<M, _>(self.net(), &globals::NET_INUM)
    }

    /// Returns the tuple of direction 0 (original) or 1 (reply).
    #[inline(always)]
    pub fn tuple(self, direction: u64) -> TupleWords {
        let offset = globals::NF_CONN_TUPLEHASH.load()
            + direction * TUPLE_HASH_BYTES
            + globals::TUPLE_HASH_TUPLE.load();
        M::read_tuple(at(self.0, offset))
    }

    /// Returns the protocol tracker's state, zero for protocols without one.
    #[inline(always)]
    pub fn proto_state(self, protonum: u8) -> u8 {
        match protonum {
            IPPROTO_TCP => field::<M, u8>(self.0, &globals::NF_CONN_TCP_STATE),
            // The enum's low byte: 6.1's verifier checks a read against the first member of the union, DCCP's two
            // bytes, and refuses a read of four.
            IPPROTO_SCTP => match globals::NF_CONN_SCTP_STATE.load() {
                ABSENT => 0,
                offset => M::read(at(self.0, offset + ENUM_LOW_BYTE)),
            },
            IPPROTO_DCCP => optional::<M, u8>(self.0, &globals::NF_CONN_DCCP_STATE),
            _ => 0,
        }
    }
}

/// The offset of an enum's low byte.
const ENUM_LOW_BYTE: u64 = if cfg!(target_endian = "big") { 3 } else { 0 };

/// `sizeof(struct nf_conntrack_tuple_hash)`: the field list needs two of them.
pub const TUPLE_HASH_BYTES: u64 = 56;
