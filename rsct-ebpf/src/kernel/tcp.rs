//! TCP's private data of an entry: `struct ip_ct_tcp` (include/linux/netfilter/nf_conntrack_tcp.h).

use aya_ebpf::Global;
use rsct_common::field::ABSENT;

use super::{Memory, Untyped, at, nf_conn::NfConn};
use crate::globals::{
    NET_TCP_MAX_RETRANS, NF_CONN_TCP_FLAGS_ORIG, NF_CONN_TCP_FLAGS_REPLY, NF_CONN_TCP_LAST_WIN,
    NF_CONN_TCP_RETRANS, NF_CONN_TCP_SEEN, NF_CONN_TCP_STATE,
};

/// `IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED`.
const DATA_UNACKNOWLEDGED: u8 = 0x10;

/// The size that covers all fields.
const BYTES: usize = 64;

/// A copy of the struct, read with one helper call.
#[derive(Clone, Copy)]
pub struct Tcp {
    bytes: [u8; BYTES],
}

impl Tcp {
    /// Reads it from a TCP entry; none for other protocols, or if this kernel lacks one of the fields.
    #[inline(always)]
    pub fn of(ct: NfConn<Untyped>) -> Option<Self> {
        let begin = NF_CONN_TCP_SEEN.load();
        if begin == ABSENT
            || !within(&NF_CONN_TCP_STATE, 1)
            || !within(&NF_CONN_TCP_FLAGS_ORIG, 1)
            || !within(&NF_CONN_TCP_FLAGS_REPLY, 1)
            || !within(&NF_CONN_TCP_RETRANS, 1)
            || !within(&NF_CONN_TCP_LAST_WIN, 2)
        {
            return None;
        }
        let words: [u64; BYTES / 8] = Untyped::read(at(ct.pointer(), begin));
        // SAFETY: any bytes are bytes.
        let bytes = unsafe { core::mem::transmute::<[u64; BYTES / 8], [u8; BYTES]>(words) };
        Some(Self { bytes })
    }

    #[inline(always)]
    pub fn state(&self) -> u8 {
        self.byte(&NF_CONN_TCP_STATE)
    }

    #[inline(always)]
    pub fn has_unacknowledged_data(&self) -> bool {
        let flags = self.byte(&NF_CONN_TCP_FLAGS_ORIG) | self.byte(&NF_CONN_TCP_FLAGS_REPLY);
        flags & DATA_UNACKNOWLEDGED != 0
    }

    #[inline(always)]
    pub fn has_zero_window(&self) -> bool {
        let place = NF_CONN_TCP_LAST_WIN.load() - NF_CONN_TCP_SEEN.load();
        self.at(place) | self.at(place + 1) == 0
    }

    /// True if the number of retransmissions has reached the limit of the entry's namespace.
    #[inline(always)]
    pub fn was_retransmitted(&self, ct: NfConn<Untyped>) -> bool {
        let retrans = self.byte(&NF_CONN_TCP_RETRANS);
        retrans != 0 && NET_TCP_MAX_RETRANS.load() != ABSENT && {
            let most = Untyped::read::<u8>(at(ct.net(), NET_TCP_MAX_RETRANS.load()));
            retrans >= most
        }
    }

    #[inline(always)]
    fn byte(&self, field: &Global<u64>) -> u8 {
        self.at(field.load() - NF_CONN_TCP_SEEN.load())
    }

    /// The index is a constant to the verifier, not to the compiler.
    #[inline(always)]
    fn at(&self, index: u64) -> u8 {
        self.bytes.get(index as usize).copied().unwrap_or(0)
    }
}

/// True if a field of `bytes` bytes lies in the copy.
#[inline(always)]
fn within(field: &Global<u64>, bytes: u64) -> bool {
    field.load().wrapping_sub(NF_CONN_TCP_SEEN.load()) <= BYTES as u64 - bytes
}
