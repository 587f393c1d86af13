//! The policy that governs an entry's timeouts, if any: `struct nf_conn_timeout`, an extension of the entry, points
//! to it (include/net/netfilter/nf_conntrack_timeout.h).
//!
//! The CT target's template passes it to a new entry, an nftables rule to an entry that is not confirmed yet; it is
//! never added later.

use rsct_common::{
    field::ABSENT,
    record::{POLICY_VALUES, PolicyRecord},
};

use super::{Memory, Untyped, at, field, nf_conn::NfConn};
use crate::globals::{
    CONN_TIMEOUT_POLICY, EXT_TIMEOUT, L4PROTO_NUMBER, NF_CONN_EXT, POLICY_DATA, POLICY_L3NUM, POLICY_L4PROTO,
};

/// `struct nf_ct_timeout`.
#[derive(Clone, Copy)]
pub struct TimeoutPolicy(*const u8);

impl TimeoutPolicy {
    /// Returns the policy of an entry.
    #[inline(always)]
    pub fn of<M: Memory>(ct: NfConn<M>) -> Option<Self> {
        let (ext, place) = (NF_CONN_EXT.load(), EXT_TIMEOUT.load());
        if ext == ABSENT || place == ABSENT || CONN_TIMEOUT_POLICY.load() == ABSENT {
            return None;
        }
        let ext = M::read::<u64>(at(ct.pointer(), ext)) as *const u8;
        if ext.is_null() {
            return None;
        }
        let offset = Untyped::read::<u8>(at(ext, place));
        if offset == 0 {
            return None;
        }
        let policy = field::<Untyped, u64>(at(ext, u64::from(offset)), &CONN_TIMEOUT_POLICY);
        (policy != 0).then_some(Self(policy as *const u8))
    }

    /// Returns the policy at an address from [`TimeoutPolicy::address`].
    #[inline(always)]
    pub fn at(address: u64) -> Self {
        Self(address as *const u8)
    }

    #[inline(always)]
    pub fn address(self) -> u64 {
        self.0 as u64
    }

    /// Copies its protocol and its values.
    #[inline(always)]
    pub fn describe(self, record: &mut PolicyRecord) {
        record.policy = self.address();
        if POLICY_L3NUM.load() != ABSENT {
            record.l3num = field::<Untyped, u16>(self.0, &POLICY_L3NUM);
        }
        if POLICY_L4PROTO.load() != ABSENT && L4PROTO_NUMBER.load() != ABSENT {
            let l4proto = field::<Untyped, u64>(self.0, &POLICY_L4PROTO) as *const u8;
            record.l4proto = field::<Untyped, u8>(l4proto, &L4PROTO_NUMBER);
        }
        if POLICY_DATA.load() != ABSENT {
            record.values = field::<Untyped, [u32; POLICY_VALUES]>(self.0, &POLICY_DATA);
        }
    }
}
