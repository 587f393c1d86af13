//! A collector that only counts silent entries has the numbers of one that keeps them all.

use std::collections::{HashSet, VecDeque};

use proptest::prelude::*;
use rsct_common::{
    Tuple,
    names::proto,
    record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord},
};

use super::{tests::setup, *};
use crate::{
    flow::{TupleKey, differences::DifferenceKind, reconcile::DumpedEntry},
    names::{status, verdict},
    observe::Covered,
    records::Record,
};

/// Tuples: an entry of each may be in the table.
const TUPLES: usize = 6;
const CONFIRMED: u32 = status::CONFIRMED;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// The first packet of an entry.
    Create(usize),
    /// A later packet, and the state that it leaves.
    Packet(usize, u8),
    /// The entry is deleted; the packet of the second kind is still in flight then.
    Delete(usize, bool),
    /// The records so far are read.
    Read,
}

#[derive(Clone, Copy)]
struct Entry {
    ct: u64,
    state: u8,
}

enum Owned {
    Packet(PacketRecord),
    Entry(EntryRecord),
}

/// The kernel, and both collectors.
struct Both {
    table: [Option<Entry>; TUPLES],
    next: u64,
    now_ns: u64,
    ring: VecDeque<Owned>,
    keeping: Collector,
    counting: Collector,
}

fn key(tuple: usize) -> TupleKey {
    let orig = Tuple {
        src_l4: [0, tuple as u8],
        protonum: proto::TCP,
        ..Tuple::default()
    };
    TupleKey {
        netns: 1,
        zone: 0,
        orig: orig.to_words(),
    }
}

impl Both {
    fn new(old: [bool; TUPLES]) -> Self {
        let new = || Collector::new(&setup(), Selection::default());
        let mut both = Self {
            table: [None; TUPLES],
            next: 100,
            now_ns: 1000,
            ring: VecDeque::new(),
            keeping: new(),
            counting: new().counting_silent(),
        };
        for (tuple, is_there) in old.into_iter().enumerate() {
            if is_there {
                both.next += 1;
                both.table[tuple] = Some(Entry {
                    ct: both.next,
                    state: 3,
                });
            }
        }
        both
    }

    fn take(&mut self, input: Input<'_>) {
        self.keeping.take(input);
        self.counting.take(input);
    }

    fn packet(&mut self, tuple: usize, ct: u64, bits: [u32; 2], states: [u8; 2]) {
        self.now_ns += 1;
        self.ring.push_back(Owned::Packet(PacketRecord {
            ct,
            birth_ns: ct,
            netns: 1,
            time_ns: self.now_ns,
            verdict: verdict::ACCEPT as u8,
            flags: PacketFlags::BEFORE | PacketFlags::AFTER,
            status_before: bits[0],
            status_after: bits[1],
            state_before: states[0],
            state_after: states[1],
            tuple: key(tuple).orig,
            ..PacketRecord::default()
        }));
    }

    fn entry(&mut self, tuple: usize, kind: EntryKind, of: Entry, bits: u32) {
        self.now_ns += 1;
        self.ring.push_back(Owned::Entry(EntryRecord {
            what: kind as u8,
            flags: EntryFlags::RETURNED,
            ct: of.ct,
            birth_ns: of.ct,
            netns: 1,
            time_ns: self.now_ns,
            ret: verdict::ACCEPT.cast_signed(),
            status_before: bits,
            status_after: CONFIRMED,
            state_before: of.state,
            state_after: of.state,
            orig: key(tuple).orig,
            reply: [9; 5],
            ..EntryRecord::default()
        }));
    }

    fn act(&mut self, op: Op) {
        match op {
            Op::Create(tuple) if self.table[tuple].is_none() => {
                self.next += 1;
                let of = Entry {
                    ct: self.next,
                    state: 1,
                };
                self.packet(tuple, of.ct, [0, 0], [0, 1]);
                self.entry(tuple, EntryKind::Insert, of, 0);
                self.entry(tuple, EntryKind::Confirm, of, 0);
                self.table[tuple] = Some(of);
            }
            Op::Packet(tuple, state) => {
                if let Some(of) = self.table[tuple] {
                    self.packet(tuple, of.ct, [CONFIRMED; 2], [of.state, state]);
                    self.table[tuple] = Some(Entry { state, ..of });
                }
            }
            Op::Delete(tuple, in_flight) => {
                if let Some(of) = self.table[tuple].take() {
                    self.entry(tuple, EntryKind::Delete, of, CONFIRMED);
                    if in_flight {
                        self.packet(tuple, of.ct, [CONFIRMED; 2], [of.state; 2]);
                    }
                    self.entry(tuple, EntryKind::Destroy, of, CONFIRMED);
                }
            }
            Op::Read => self.read(),
            Op::Create(_) => {}
        }
    }

    fn read(&mut self) {
        while let Some(record) = self.ring.pop_front() {
            self.take(Input::Record(match &record {
                Owned::Packet(record) => Record::Packet(record),
                Owned::Entry(record) => Record::Entry(record),
            }));
        }
    }

    /// A dump, during which things happen.
    fn dump(&mut self, during: &[(Op, bool)]) {
        self.read();
        self.now_ns += 1;
        self.take(Input::DumpBegins { now_ns: self.now_ns });
        let mut during = during.iter();
        for tuple in 0..TUPLES {
            // An entry is read from the table, and arrives while records of before may still be unread.
            let read = self.table[tuple];
            for (op, goes_on) in during.by_ref() {
                self.act(*op);
                if !goes_on {
                    break;
                }
            }
            let Some(read) = read else { continue };
            self.now_ns += 1;
            let entry = DumpedEntry {
                key: key(tuple),
                reply: [9; 5],
                status: CONFIRMED,
                state: read.state,
                mark: 0,
                timeout_seconds: Some(100),
            };
            self.take(Input::Dumped {
                entry: &entry,
                now_ns: self.now_ns,
            });
        }
        self.read();
        self.now_ns += 1;
        let covered = Covered {
            is_all: false,
            opened: HashSet::from([1]),
            whole: HashSet::from([1]),
        };
        self.take(Input::DumpEnds {
            now_ns: self.now_ns,
            covered: Some(&covered),
            lost: 0,
        });
    }

    fn populations(&self) -> [Vec<(u8, u64)>; 2] {
        [&self.keeping, &self.counting].map(|collector| {
            let classes = collector.population().classes();
            classes.map(|(class, count)| (class.state, count)).collect()
        })
    }
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..TUPLES).prop_map(Op::Create),
        (0..TUPLES, 1..4_u8).prop_map(|(tuple, state)| Op::Packet(tuple, state)),
        (0..TUPLES, any::<bool>()).prop_map(|(tuple, in_flight)| Op::Delete(tuple, in_flight)),
        Just(Op::Read),
    ]
}

proptest! {
    #[test]
    fn silent_entries_are_counted_as_kept_ones(
        old in any::<[bool; TUPLES]>(),
        rounds in prop::collection::vec(
            (
                prop::collection::vec((op(), any::<bool>()), 0..8),
                prop::collection::vec(op(), 0..12),
            ),
            1..4,
        ),
    ) {
        let mut both = Both::new(old);
        for (during, after) in rounds {
            both.dump(&during);
            let [keeping, counting] = both.populations();
            prop_assert_eq!(keeping, counting);
            for op in after {
                both.act(op);
                let [keeping, counting] = both.populations();
                prop_assert_eq!(keeping, counting);
            }
        }
        both.read();
        let [keeping, counting] = both.populations();
        prop_assert_eq!(&keeping, &counting);
        // Each entry of the table is counted, in its state.
        let mut states = [0_u64; 4];
        for entry in both.table.iter().flatten() {
            states[usize::from(entry.state)] += 1;
        }
        let in_table: Vec<(u8, u64)> = (0..)
            .zip(states)
            .filter(|(_, count)| *count > 0)
            .collect();
        prop_assert_eq!(counting, in_table);
        let found = both.counting.model.table.reconciliation();
        prop_assert_eq!(found.differences.count(DifferenceKind::OnlyInDump), 0);
        prop_assert_eq!(found.differences.count(DifferenceKind::OnlyFromProbe), 0);
    }
}

#[test]
fn silent_entries_need_no_flow() {
    let mut both = Both::new([true; TUPLES]);
    both.dump(&[]);
    let flows = [&both.keeping, &both.counting].map(|collector| collector.model.table.len());
    assert_eq!(flows, [TUPLES, 0]);
    assert_eq!(
        both.populations(),
        [vec![(3, TUPLES as u64)], vec![(3, TUPLES as u64)]]
    );
    both.act(Op::Packet(0, 3));
    both.read();
    assert_eq!(both.counting.model.table.len(), 1);
}

#[test]
fn entries_that_appear_without_a_record_are_differences_too() {
    let mut both = Both::new([true, true, false, false, false, false]);
    both.dump(&[]);
    both.table[2] = Some(Entry { ct: 7, state: 3 });
    both.dump(&[]);
    let found = [&both.keeping, &both.counting].map(|collector| {
        let found = collector.model.table.reconciliation();
        found.differences.count(DifferenceKind::OnlyInDump)
    });
    assert_eq!(found, [1, 1]);
}
