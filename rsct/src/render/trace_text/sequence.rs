//! TCP sequence numbers relative to the first one of their direction, modulo 2^32 as tcpdump prints them.
//!
//! A number is relative only if its base is certain. A base is set by packets that conntrack follows; it ignores SYN
//! packets that may belong to another connection (`TCP_CONNTRACK_IGNORE`, net/netfilter/nf_conntrack_proto_tcp.c).

use std::collections::hash_map::Entry;

use rsct_common::record::{PacketFlags, PacketRecord};
use rustc_hash::FxHashMap;

use super::direction::Direction;
use crate::names::status;

const SYN: u8 = 2;
const ACK: u8 = 16;
const SYN_ACK: u8 = SYN | ACK;

/// `enum tcp_conntrack`.
const SYN_SENT: u8 = 1;
const SYN_RECV: u8 = 2;
const SYN_SENT2: u8 = 9;

/// The largest number of flows with bases. Without its destroy record a flow stays until its address is reused.
const MOST: usize = 1 << 18;

/// The first sequence number of each direction of each flow, by the entry's address.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    flows: FxHashMap<u64, Bases>,
}

#[derive(Debug)]
struct Bases {
    birth_ns: u64,
    /// Of the original and of the reply direction.
    first: [Option<Base>; 2],
    /// Conntrack has changed to another connection of the same entry: the peers' first numbers are not known.
    are_uncertain: bool,
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
    pub(super) fn of(&mut self, record: &PacketRecord, direction: Option<Direction>) -> Numbers {
        let [own, other] = match direction {
            Some(direction) => self.bases(record, direction),
            None => [None; 2],
        };
        let number = |raw: u32, base: Option<Base>| Number {
            raw,
            relative: base.and_then(|base| base.relative(raw)),
        };
        Numbers {
            seq: number(record.tcp_seq, own),
            ack: (record.tcp_flags & ACK != 0).then(|| number(record.tcp_ack, other)),
        }
    }

    /// Forgets a flow whose entry is destroyed.
    pub(super) fn forget(&mut self, ct: u64) {
        self.flows.remove(&ct);
    }

    /// The bases of a packet's own direction, and of the direction that it acknowledges.
    fn bases(&mut self, record: &PacketRecord, direction: Direction) -> [Option<Base>; 2] {
        // A rejected packet sets no base: it may carry anything.
        let is_accepted = record.flags & PacketFlags::AFTER != 0;
        let flow = match is_accepted {
            true => self.flow(record),
            false => self.flows.get_mut(&record.ct).filter(|flow| flow.is_of(record)),
        };
        let Some(flow) = flow else { return [None; 2] };
        if is_accepted {
            flow.learn(record, direction);
        }
        let own = flow.first[direction as usize];
        if is_ignored(record, own) {
            return [None; 2];
        }
        // A helper or SYNPROXY shifts the numbers of one side on their way to the other, which acknowledges shifted ones.
        let is_shifted = (record.status_before | record.status_after) & status::SEQ_ADJUST != 0;
        let other = flow.first[direction.opposite() as usize].filter(|_| !is_shifted);
        [own, other]
    }

    fn flow(&mut self, record: &PacketRecord) -> Option<&mut Bases> {
        // Without its birth, a flow cannot be distinguished from an earlier one at its address.
        if record.birth_ns == 0 {
            return None;
        }
        let is_full = self.flows.len() >= MOST;
        let flow = match self.flows.entry(record.ct) {
            Entry::Occupied(flow) => flow.into_mut(),
            Entry::Vacant(_) if is_full => return None,
            Entry::Vacant(flow) => flow.insert(Bases::new(record.birth_ns)),
        };
        if !flow.is_of(record) {
            *flow = Bases::new(record.birth_ns);
        }
        Some(flow)
    }
}

impl Bases {
    fn new(birth_ns: u64) -> Self {
        Self {
            birth_ns,
            first: [None; 2],
            are_uncertain: false,
        }
    }

    fn is_of(&self, record: &PacketRecord) -> bool {
        self.birth_ns == record.birth_ns
    }

    /// Sets the base of an accepted packet's direction, if the packet determines it.
    fn learn(&mut self, record: &PacketRecord, direction: Direction) {
        let own = &mut self.first[direction as usize];
        let base = |is_syn| Base {
            number: record.tcp_seq,
            is_syn,
        };
        match (
            record.tcp_flags & SYN_ACK,
            record.state_before,
            record.state_after,
        ) {
            _ if self.are_uncertain => {}
            (SYN, _, SYN_SENT | SYN_SENT2) | (SYN_ACK, SYN_SENT | SYN_SENT2, SYN_RECV) => {
                *own = Some(base(true))
            }
            // The answer to a SYN that conntrack ignored makes it follow that connection.
            (SYN_ACK, _, SYN_RECV) if own.is_none_or(|own| own.number != record.tcp_seq) => {
                self.first = [None; 2];
                self.are_uncertain = true;
            }
            _ if is_ignored(record, *own) => {}
            _ => {
                own.get_or_insert(base(false));
            }
        }
    }
}

/// Returns whether conntrack may have ignored the packet: a SYN that did not set the base, or the ACK of an older
/// connection in answer to a SYN.
fn is_ignored(record: &PacketRecord, own: Option<Base>) -> bool {
    if record.tcp_flags & SYN != 0 {
        return own.is_none_or(|own| !own.is_syn || own.number != record.tcp_seq);
    }
    matches!(record.state_after, SYN_SENT | SYN_SENT2)
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

    const ESTABLISHED: u8 = 3;

    /// An accepted packet, with the states before and after it.
    fn packet(tcp_flags: u8, states: (u8, u8), numbers: (u32, u32)) -> PacketRecord {
        PacketRecord {
            ct: 1,
            birth_ns: 1,
            flags: PacketFlags::HEADER | PacketFlags::BEFORE | PacketFlags::AFTER,
            tcp_flags,
            tcp_seq: numbers.0,
            tcp_ack: numbers.1,
            state_before: states.0,
            state_after: states.1,
            ..PacketRecord::default()
        }
    }

    fn syn(seq: u32) -> PacketRecord {
        packet(SYN, (0, SYN_SENT), (seq, 0))
    }

    fn syn_ack(seq: u32, ack: u32) -> PacketRecord {
        packet(SYN_ACK, (SYN_SENT, SYN_RECV), (seq, ack))
    }

    fn open(seq: u32, ack: u32) -> PacketRecord {
        packet(ACK, (ESTABLISHED, ESTABLISHED), (seq, ack))
    }

    fn invalid(record: PacketRecord) -> PacketRecord {
        PacketRecord {
            flags: record.flags & !PacketFlags::AFTER,
            state_after: 0,
            ..record
        }
    }

    type Relative = (Option<u32>, Option<Option<u32>>);

    fn relative(all: &mut Sequences, direction: Option<Direction>, record: &PacketRecord) -> Relative {
        let numbers = all.of(record, direction);
        assert_eq!(numbers.seq.raw, record.tcp_seq);
        (numbers.seq.relative, numbers.ack.map(|ack| ack.relative))
    }

    fn sent(all: &mut Sequences, record: &PacketRecord) -> Relative {
        relative(all, Some(Direction::Original), record)
    }

    fn replied(all: &mut Sequences, record: &PacketRecord) -> Relative {
        relative(all, Some(Direction::Reply), record)
    }

    /// An open connection with the first numbers 100 and 700.
    fn connection() -> Sequences {
        let mut all = Sequences::default();
        assert_eq!(sent(&mut all, &syn(100)), (Some(0), None));
        assert_eq!(replied(&mut all, &syn_ack(700, 101)), (Some(0), Some(Some(1))));
        assert_eq!(sent(&mut all, &open(101, 701)), (Some(1), Some(Some(1))));
        all
    }

    const ABSOLUTE: Relative = (None, Some(None));

    #[test]
    fn a_syn_is_zero_in_its_direction() {
        let near_the_end = u32::MAX - 1;
        let mut all = Sequences::default();
        assert_eq!(sent(&mut all, &syn(near_the_end)), (Some(0), None));
        let answer = syn_ack(700, near_the_end + 1);
        assert_eq!(replied(&mut all, &answer), (Some(0), Some(Some(1))));
        let data = open(near_the_end.wrapping_add(2), 701);
        assert_eq!(sent(&mut all, &data), (Some(2), Some(Some(1))));
        let data = open(1700, near_the_end.wrapping_add(9));
        assert_eq!(replied(&mut all, &data), (Some(1000), Some(Some(9))));
        // Beyond 2 GiB.
        let data = open(near_the_end.wrapping_sub(5), 1 << 31);
        assert_eq!(
            sent(&mut all, &data),
            (Some(u32::MAX - 4), Some(Some((1 << 31) - 700)))
        );
    }

    #[test]
    fn a_retransmitted_syn_changes_nothing() {
        let mut all = Sequences::default();
        assert_eq!(sent(&mut all, &syn(100)), (Some(0), None));
        let again = packet(SYN, (SYN_SENT, SYN_SENT), (100, 0));
        assert_eq!(sent(&mut all, &again), (Some(0), None));
        assert_eq!(replied(&mut all, &syn_ack(700, 101)), (Some(0), Some(Some(1))));
        let again = packet(SYN_ACK, (SYN_RECV, SYN_RECV), (700, 101));
        assert_eq!(replied(&mut all, &again), (Some(0), Some(Some(1))));
        let late = packet(SYN_ACK, (ESTABLISHED, ESTABLISHED), (700, 101));
        assert_eq!(replied(&mut all, &late), (Some(0), Some(Some(1))));
        assert_eq!(sent(&mut all, &open(101, 701)), (Some(1), Some(Some(1))));
    }

    #[test]
    fn an_unknown_base_makes_no_relative_number() {
        let mut all = Sequences::default();
        // Picked up in its middle: the other direction is unknown, and so is any number before the base.
        assert_eq!(sent(&mut all, &open(5000, 77)), (Some(0), Some(None)));
        assert_eq!(sent(&mut all, &open(4000, 77)), ABSOLUTE);
        assert_eq!(replied(&mut all, &open(80, 5100)), (Some(0), Some(Some(100))));
        assert_eq!(replied(&mut all, &open(79, 4999)), ABSOLUTE);
    }

    #[test]
    fn rejected_packets_set_no_base() {
        let mut all = Sequences::default();
        assert_eq!(sent(&mut all, &invalid(open(1, 1))), ABSOLUTE);
        assert!(all.flows.is_empty());
        let mut all = connection();
        assert_eq!(
            sent(&mut all, &invalid(open(70_101, 701))),
            (Some(70_001), Some(Some(1)))
        );
        assert_eq!(
            replied(&mut all, &invalid(open(701, 150))),
            (Some(1), Some(Some(50)))
        );
        // Their direction may be unknown.
        assert_eq!(relative(&mut all, None, &invalid(open(701, 150))), ABSOLUTE);
        assert_eq!(
            sent(&mut all, &invalid(packet(SYN, (ESTABLISHED, 0), (9000, 0)))),
            (None, None)
        );
    }

    #[test]
    fn an_ignored_syn_changes_nothing() {
        let mut all = Sequences::default();
        all.of(&syn(100), Some(Direction::Original));
        all.of(&syn_ack(700, 101), Some(Direction::Reply));
        for state in [SYN_RECV, ESTABLISHED] {
            let stray = packet(SYN, (state, state), (9000, 0));
            assert_eq!(sent(&mut all, &stray), (None, None));
            assert_eq!(sent(&mut all, &open(101, 701)), (Some(1), Some(Some(1))));
        }
        let stray = packet(SYN_ACK, (ESTABLISHED, ESTABLISHED), (9000, 101));
        assert_eq!(replied(&mut all, &stray), ABSOLUTE);
        assert_eq!(replied(&mut all, &open(701, 101)), (Some(1), Some(Some(1))));
    }

    #[test]
    fn an_ignored_ack_in_answer_to_a_syn_sets_no_base() {
        let mut all = Sequences::default();
        assert_eq!(sent(&mut all, &syn(100)), (Some(0), None));
        // The server still has an older connection.
        let old = packet(ACK, (SYN_SENT, SYN_SENT), (5000, 60_000));
        assert_eq!(replied(&mut all, &old), ABSOLUTE);
        assert_eq!(replied(&mut all, &syn_ack(700, 101)), (Some(0), Some(Some(1))));
    }

    #[test]
    fn numbers_are_absolute_once_conntrack_follows_another_connection() {
        for before in [SYN_RECV, ESTABLISHED] {
            let mut all = connection();
            // Ignored, and then acknowledged.
            assert_eq!(
                sent(&mut all, &packet(SYN, (before, before), (9000, 0))),
                (None, None)
            );
            let answer = packet(SYN_ACK, (before, SYN_RECV), (8000, 9001));
            assert_eq!(replied(&mut all, &answer), ABSOLUTE);
            assert_eq!(sent(&mut all, &open(9001, 8001)), ABSOLUTE);
            assert_eq!(replied(&mut all, &open(8001, 9001)), ABSOLUTE);
        }
    }

    #[test]
    fn acknowledgements_of_shifted_numbers_are_absolute() {
        let mut all = connection();
        let shifted = PacketRecord {
            status_after: status::SEQ_ADJUST,
            ..open(102, 4_000_000)
        };
        assert_eq!(sent(&mut all, &shifted), (Some(2), Some(None)));
    }

    #[test]
    fn memory_ends_with_the_entry() {
        let mut all = connection();
        // The destroy record of the first entry was lost, and the kernel has reused its address.
        let other = PacketRecord {
            birth_ns: 2,
            ..open(5, 6)
        };
        assert_eq!(sent(&mut all, &invalid(other)), ABSOLUTE);
        assert_eq!(sent(&mut all, &other), (Some(0), Some(None)));
        assert_eq!(all.flows.len(), 1);
        all.forget(1);
        assert!(all.flows.is_empty());
    }

    #[test]
    fn a_flow_without_its_birth_has_absolute_numbers() {
        let mut all = Sequences::default();
        let unborn = PacketRecord {
            birth_ns: 0,
            ..syn(100)
        };
        assert_eq!(sent(&mut all, &unborn), (None, None));
        assert!(all.flows.is_empty());
    }

    #[test]
    fn the_number_of_flows_is_bounded() {
        let mut all = Sequences::default();
        for ct in 1..=MOST as u64 {
            all.of(&PacketRecord { ct, ..syn(100) }, Some(Direction::Original));
        }
        let next = PacketRecord {
            ct: MOST as u64 + 1,
            ..syn(100)
        };
        assert_eq!(sent(&mut all, &next), (None, None));
        assert_eq!(sent(&mut all, &open(101, 1)), (Some(1), Some(None)));
        all.forget(1);
        assert_eq!(sent(&mut all, &next), (Some(0), None));
    }
}
