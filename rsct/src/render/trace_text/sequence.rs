//! TCP sequence numbers relative to the first one of their direction, as tcpdump prints them.

use rsct_common::record::{PacketFlags, PacketRecord};
use rustc_hash::FxHashMap;

use crate::names;

const SYN: u8 = 2;
const ACK: u8 = 16;

/// The first sequence number seen of each direction of each flow.
///
/// The key is the entry's address, which the kernel reuses: even if records are lost, this does not outgrow the kernel's
/// table.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    bases: FxHashMap<u64, Bases>,
}

#[derive(Debug, Default)]
struct Bases {
    birth_ns: u64,
    /// Of the original and of the reply direction.
    first: [Option<Base>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Base {
    number: u32,
    /// A SYN's: nothing is before it.
    is_syn: bool,
}

/// A sequence or acknowledgement number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub raw: u32,
    /// Absent if the base is unknown.
    pub relative: Option<u32>,
}

/// The numbers of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub seq: Number,
    /// Absent without the ACK flag.
    pub ack: Option<Number>,
}

impl Sequences {
    /// The numbers of a packet, which also sets its direction's base if it is the first.
    pub(super) fn of(&mut self, record: &PacketRecord) -> Numbers {
        let own = usize::from(names::is_reply(record.ctinfo));
        let first = match record.flags & PacketFlags::AFTER {
            // Only accepted packets set a base: an INVALID one may carry anything.
            0 => self.known(record),
            _ => self.learn(record, own),
        };
        let number = |raw: u32, base: Option<Base>| Number {
            raw,
            relative: base.and_then(|base| base.relative(raw)),
        };
        Numbers {
            seq: number(record.tcp_seq, first[own]),
            ack: (record.tcp_flags & ACK != 0).then(|| number(record.tcp_ack, first[1 - own])),
        }
    }

    /// Forgets a flow whose entry is destroyed.
    pub(super) fn forget(&mut self, ct: u64) {
        self.bases.remove(&ct);
    }

    fn known(&self, record: &PacketRecord) -> [Option<Base>; 2] {
        match self.bases.get(&record.ct) {
            Some(bases) if bases.birth_ns == record.birth_ns => bases.first,
            _ => [None; 2],
        }
    }

    fn learn(&mut self, record: &PacketRecord, own: usize) -> [Option<Base>; 2] {
        /// `SYN_SENT`, `SYN_RECV` and `SYN_SENT2` of `enum tcp_conntrack`.
        const OPENING: [u8; 3] = [1, 2, 9];
        let bases = self.bases.entry(record.ct).or_default();
        if bases.birth_ns != record.birth_ns {
            *bases = Bases {
                birth_ns: record.birth_ns,
                first: [None; 2],
            };
        }
        // A SYN inside an open connection is no new beginning.
        let is_syn = record.tcp_flags & SYN != 0 && OPENING.contains(&record.state_after);
        if is_syn || bases.first[own].is_none() {
            bases.first[own] = Some(Base {
                number: record.tcp_seq,
                is_syn,
            });
        }
        bases.first
    }
}

impl Base {
    fn relative(self, raw: u32) -> Option<u32> {
        let relative = raw.wrapping_sub(self.number);
        // In a connection picked up in its middle, a retransmission may lie before the base.
        (self.is_syn || relative < 1 << 31).then_some(relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ct: u64, birth_ns: u64, reply: bool, tcp_flags: u8, numbers: (u32, u32)) -> PacketRecord {
        PacketRecord {
            ct,
            birth_ns,
            flags: PacketFlags::HEADER | PacketFlags::BEFORE | PacketFlags::AFTER,
            ctinfo: if reply { 3 } else { 0 },
            tcp_flags,
            tcp_seq: numbers.0,
            tcp_ack: numbers.1,
            // `SYN_SENT` or `ESTABLISHED`.
            state_after: if tcp_flags & SYN != 0 { 1 } else { 3 },
            ..PacketRecord::default()
        }
    }

    fn relative(sequences: &mut Sequences, record: &PacketRecord) -> (Option<u32>, Option<Option<u32>>) {
        let numbers = sequences.of(record);
        assert_eq!(numbers.seq.raw, record.tcp_seq);
        (numbers.seq.relative, numbers.ack.map(|ack| ack.relative))
    }

    #[test]
    fn a_syn_is_zero_in_its_direction() {
        let mut all = Sequences::default();
        let near_the_end = u32::MAX - 1;
        for (reply, flags, numbers, expected) in [
            (false, SYN, (near_the_end, 0), (Some(0), None)),
            (true, SYN | ACK, (700, near_the_end + 1), (Some(0), Some(Some(1)))),
            (
                false,
                ACK,
                (near_the_end.wrapping_add(2), 701),
                (Some(2), Some(Some(1))),
            ),
            (
                true,
                ACK,
                (1700, near_the_end.wrapping_add(9)),
                (Some(1000), Some(Some(9))),
            ),
            // A retransmission.
            (false, SYN, (near_the_end, 0), (Some(0), None)),
        ] {
            assert_eq!(
                relative(&mut all, &packet(1, 1, reply, flags, numbers)),
                expected,
                "{numbers:?}"
            );
        }
        assert_eq!(all.bases.len(), 1);
    }

    #[test]
    fn an_unknown_base_makes_no_relative_number() {
        let mut all = Sequences::default();
        // Picked up in its middle: the other direction is unknown, and so is what lies before the base.
        assert_eq!(
            relative(&mut all, &packet(1, 1, false, ACK, (5000, 77))),
            (Some(0), Some(None))
        );
        assert_eq!(
            relative(&mut all, &packet(1, 1, false, ACK, (4000, 77))),
            (None, Some(None))
        );
        assert_eq!(
            relative(&mut all, &packet(1, 1, true, ACK, (80, 5100))),
            (Some(0), Some(Some(100)))
        );
        // Packets that conntrack rejects set no base.
        let mut invalid = packet(2, 2, false, ACK, (1, 1));
        invalid.flags &= !PacketFlags::AFTER;
        assert_eq!(relative(&mut all, &invalid), (None, Some(None)));
        assert_eq!(all.bases.len(), 1);
    }

    #[test]
    fn a_syn_in_an_open_connection_changes_nothing() {
        let mut all = Sequences::default();
        all.of(&packet(1, 1, false, SYN, (100, 0)));
        let mut stray = packet(1, 1, false, SYN, (9000, 0));
        stray.state_after = 3;
        assert_eq!(relative(&mut all, &stray), (Some(8900), None));
        assert_eq!(relative(&mut all, &packet(1, 1, false, ACK, (101, 1))).0, Some(1));
    }

    #[test]
    fn memory_ends_with_the_entry() {
        let mut all = Sequences::default();
        all.of(&packet(1, 1, false, SYN, (100, 0)));
        // The end of the first entry was lost, and the kernel has reused its address.
        assert_eq!(relative(&mut all, &packet(1, 2, false, ACK, (5, 0))).0, Some(0));
        assert_eq!(all.bases.len(), 1);
        all.forget(1);
        assert!(all.bases.is_empty());
    }
}
