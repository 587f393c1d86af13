//! A packet's traversal of `nf_conntrack_in`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::TupleWords;

/// One traversal of `nf_conntrack_in` by one packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PacketRecord {
    /// [`super::kind::PACKET`].
    pub kind: u8,
    /// The netfilter hook: 0 PRE_ROUTING, 3 LOCAL_OUT.
    pub hook: u8,
    /// The result of `nf_conntrack_in`: 1 ACCEPT, 0 DROP.
    pub verdict: u8,
    /// `enum ip_conntrack_info`, the low three bits of `skb->_nfct`.
    pub ctinfo: u8,
    /// The CPU.
    pub cpu: u16,
    /// [`PacketFlags`].
    pub flags: u16,
    /// Monotonic time when `nf_conntrack_in` was entered.
    pub time_ns: u64,
    /// The entry's address; zero for a packet without an entry.
    pub ct: u64,
    /// When the entry was allocated or first seen; with [`Self::ct`] this names the flow.
    pub birth_ns: u64,
    /// Duration of `nf_conntrack_in`.
    pub duration_ns: u32,
    /// Length of the packet from its network header, in bytes.
    pub len_bytes: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Index of the interface: the one it arrived on, or the one it leaves by.
    pub ifindex: u32,
    /// `ct->status` when the protocol's handler was entered.
    pub status_before: u32,
    /// `ct->status` when `nf_conntrack_in` returned.
    pub status_after: u32,
    /// `ct->timeout` when the protocol's handler was entered.
    pub timeout_before_jiffies: u32,
    /// `ct->timeout` when `nf_conntrack_in` returned.
    pub timeout_after_jiffies: u32,
    /// The jiffies when the record was written: the reference of the two timeouts.
    pub now_jiffies: u32,
    /// `ct->mark`.
    pub mark: u32,
    /// `extra_jiffies` of the refresh that this packet caused.
    pub refresh_jiffies: u32,
    /// The process that sent the packet.
    pub pid: u32,
    /// TCP sequence number.
    pub tcp_seq: u32,
    /// TCP acknowledgement number.
    pub tcp_ack: u32,
    /// TCP window, as sent.
    pub tcp_window: u16,
    /// TCP flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.
    pub tcp_flags: u8,
    /// The protocol's state when its handler was entered.
    pub state_before: u8,
    /// The protocol's state when `nf_conntrack_in` returned.
    pub state_after: u8,
    /// The address family of the hook: 2 IPv4, 10 IPv6.
    pub family: u8,
    /// The zone.
    pub zone: u16,
    /// The process's name.
    pub comm: [u8; 16],
    /// The original direction, or for a packet without an entry the tuple of its headers.
    pub tuple: TupleWords,
}

const _: () = assert!(size_of::<PacketRecord>() == 152);

/// The header of an ICMP error. Such a packet has no handler, so it is stored in fields that only handlers fill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IcmpError {
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The sender's address from its header; of IPv4 the first word.
    pub from: [u32; 4],
}

impl PacketRecord {
    /// True if the fields of the TCP header are known.
    #[inline(always)]
    pub const fn has_tcp(&self) -> bool {
        const TCP: u16 = PacketFlags::HEADER | PacketFlags::BEFORE;
        self.flags & TCP == TCP
    }

    /// Returns the ICMP error that this packet is.
    #[inline(always)]
    pub const fn icmp_error(&self) -> Option<IcmpError> {
        if self.flags & (PacketFlags::HEADER | PacketFlags::BEFORE) != PacketFlags::HEADER {
            return None;
        }
        Some(IcmpError {
            kind: self.tcp_flags,
            code: self.state_before,
            from: [
                self.tcp_seq,
                self.tcp_ack,
                self.status_before,
                self.timeout_before_jiffies,
            ],
        })
    }

    /// Stores the ICMP error that this packet is.
    #[inline(always)]
    pub const fn set_icmp_error(&mut self, error: IcmpError) {
        self.flags |= PacketFlags::HEADER;
        self.tcp_flags = error.kind;
        self.state_before = error.code;
        [
            self.tcp_seq,
            self.tcp_ack,
            self.status_before,
            self.timeout_before_jiffies,
        ] = error.from;
    }
}

/// Bits of [`PacketRecord::flags`].
#[derive(Clone, Copy, Debug)]
pub struct PacketFlags;

impl PacketFlags {
    /// The state before is known: the protocol's handler was seen.
    pub const BEFORE: u16 = 1 << 0;
    /// The packet's own header is known: see [`PacketRecord::has_tcp`] and [`PacketRecord::icmp_error`].
    pub const HEADER: u16 = 1 << 1;
    /// The packet already had its entry on entry (loopback, or a second traversal): conntrack did nothing.
    pub const SEEN_ALREADY: u16 = 1 << 2;
    /// Untracked: conntrack skips it.
    pub const UNTRACKED: u16 = 1 << 3;
    /// The birth of the flow was not seen: this is its first sight.
    pub const FIRST_SIGHT: u16 = 1 << 4;
    /// The traversal requested a refresh of the timeout.
    pub const REFRESHED: u16 = 1 << 5;
    /// The process is known: the packet leaves from a process, on its own stack.
    pub const TASK: u16 = 1 << 6;
    /// The cost is known: the entry into `nf_conntrack_in` was remembered.
    pub const DURATION: u16 = 1 << 7;
    /// The packet carried a template (the CT target) into `nf_conntrack_in`.
    pub const TEMPLATE: u16 = 1 << 8;
    /// The values after are known: the packet left with its entry.
    pub const AFTER: u16 = 1 << 9;
    /// The mark is known.
    pub const MARK: u16 = 1 << 10;
    /// A policy governs the flow's timeouts. Known if [`Self::FIRST_SIGHT`] is set, and while the entry is not in the
    /// table yet; a [`super::PolicyRecord`] precedes it.
    pub const POLICY: u16 = 1 << 11;
    /// TCP: sent data is unacknowledged.
    pub const UNACKNOWLEDGED: u16 = 1 << 12;
    /// TCP: the number of retransmissions has reached the namespace's limit.
    pub const RETRANSMITTED: u16 = 1 << 13;
    /// TCP: the last window was zero.
    pub const ZERO_WINDOW: u16 = 1 << 14;
    /// Used inside the kernel only: the filter rejected it.
    pub const REJECTED: u16 = 1 << 15;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_tcps_or_an_icmp_errors() {
        let mut record = PacketRecord::default();
        assert!(!record.has_tcp() && record.icmp_error().is_none());
        let error = IcmpError {
            kind: 3,
            code: 1,
            from: [1, 2, 3, 4],
        };
        record.set_icmp_error(error);
        assert_eq!((record.has_tcp(), record.icmp_error()), (false, Some(error)));
        record.flags |= PacketFlags::BEFORE;
        assert!(record.has_tcp() && record.icmp_error().is_none());
    }
}
