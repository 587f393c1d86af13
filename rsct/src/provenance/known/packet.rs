//! Packets' records, as far as the source of a timeout depends on them.

use rsct_common::{
    Tuple,
    record::{PacketFlags, PacketRecord},
};

use crate::{
    flow::PolicyOf,
    kernel::hz::Hz,
    names::status,
    timeouts::{Sight, TcpSigns},
};

use super::observed::Observed;

/// The longest time between a refresh and the record of its packet, where the refresh itself was not recorded.
const REFRESH_AGE_MS: u64 = 100;
/// The RST bit of TCP's flags.
const RST: u8 = 4;

/// Everything in a packet's record that the result of its lookup depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct PacketKey([u64; 3]);

impl PacketKey {
    #[inline(always)]
    pub(super) fn of(record: &PacketRecord, policy: PolicyOf) -> Self {
        /// REFRESHED, the two of a TCP header, and [`TcpSigns`].
        const FLAGS: u16 = PacketFlags::REFRESHED
            | PacketFlags::HEADER
            | PacketFlags::BEFORE
            | PacketFlags::UNACKNOWLEDGED
            | PacketFlags::RETRANSMITTED
            | PacketFlags::ZERO_WINDOW;
        let jiffies = if record.flags & PacketFlags::REFRESHED != 0 {
            record.refresh_jiffies
        } else if record.status_after & status::CONFIRMED != 0 {
            record.timeout_after_jiffies.wrapping_sub(record.now_jiffies)
        } else {
            record.timeout_after_jiffies
        };
        let protonum = Tuple::from_words(record.tuple).protonum;
        let [low, high] = (record.flags & FLAGS).to_le_bytes();
        let bytes = [
            low,
            high,
            record.state_after,
            protonum,
            record.tcp_flags & RST,
            0,
            0,
            0,
        ];
        Self([
            u64::from(record.netns) | u64::from(policy.to_bits()) << 32,
            u64::from(record.status_after) | u64::from(jiffies) << 32,
            u64::from_le_bytes(bytes),
        ])
    }
}

impl PartialEq for PacketKey {
    /// Without a branch for each word.
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        (a ^ x) | (b ^ y) | (c ^ z) == 0
    }
}

/// The timeout observed on a packet's entry after the packet.
pub(super) fn observed(record: &PacketRecord, ticks: Hz) -> Observed {
    if record.flags & PacketFlags::REFRESHED != 0 {
        return Observed {
            ms: ticks.span_ms(record.refresh_jiffies),
            tolerance_ms: 0,
        };
    }
    let left_ms = ticks.left_ms(
        record.status_after,
        record.timeout_after_jiffies,
        record.now_jiffies,
    );
    Observed {
        ms: u64::try_from(left_ms).unwrap_or(0),
        tolerance_ms: REFRESH_AGE_MS,
    }
}

/// Returns whether a packet set its entry's timeout, even to the value that it had.
pub(super) fn sets_a_timeout(record: &PacketRecord) -> bool {
    let has = |flag| record.flags & flag != 0;
    has(PacketFlags::AFTER)
        && !has(PacketFlags::SEEN_ALREADY)
        && (!has(PacketFlags::BEFORE)
            || has(PacketFlags::REFRESHED)
            || record.timeout_before_jiffies != record.timeout_after_jiffies)
}

/// The tracker's view of a packet's entry after the packet.
pub(crate) fn sight(record: &PacketRecord) -> Sight {
    let has = |flag| record.flags & flag != 0;
    Sight {
        protonum: Tuple::from_words(record.tuple).protonum,
        state: record.state_after,
        status: record.status_after,
        tcp: TcpSigns {
            unacknowledged: has(PacketFlags::UNACKNOWLEDGED),
            retransmitted: has(PacketFlags::RETRANSMITTED),
            zero_window: has(PacketFlags::ZERO_WINDOW),
            reset: record.has_tcp() && record.tcp_flags & RST != 0,
        },
    }
}
