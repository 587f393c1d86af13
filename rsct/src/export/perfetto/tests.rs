//! Traces of made-up records.

use proptest::prelude::*;
use rsct_common::{
    Tuple,
    record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord, kind},
};

use super::{Exporter, Options, Written, read::Read};
use crate::{
    causes::tally::FlowName,
    flow::tuples::inverse,
    kernel::{hz::Hz, interfaces::Names},
    names::{proto, status},
    observe::{Consumer as _, Ended, Input, Notice, Selection, Setup},
    records::{Lost, Record},
    source::recorded::{Start, Window},
};

const SECOND: u64 = 1_000_000_000;
const STARTED_NS: u64 = 100 * SECOND;

fn start() -> Start {
    Start {
        rsct: String::new(),
        host: String::new(),
        kernel: String::new(),
        machine: String::new(),
        boot_id: String::new(),
        command: Vec::new(),
        realtime_offset_ns: 1_700_000_000 * SECOND.cast_signed(),
        setup: Setup {
            hz: Hz::new(250).unwrap(),
            started_ns: STARTED_NS,
            with_causes: false,
            only_netns: None,
            is_unfiltered: true,
        },
        names: Names::default(),
        from_ns: 0,
    }
}

fn tuple() -> Tuple {
    Tuple {
        protonum: proto::UDP,
        l3num: 2_u16.to_ne_bytes(),
        ..Tuple::default()
    }
}

/// The trace of what `feed` passes on, with a track for the flow of [`tuple`] in namespace 1.
fn traced(feed: impl FnOnce(&mut Exporter<&mut Vec<u8>>)) -> (Read, Written) {
    let mut trace = Vec::new();
    let options = Options {
        selection: Selection::default(),
        netns: None,
        window: Window::default(),
        names: Names::default(),
        top: vec![FlowName {
            netns: 1,
            zone: 0,
            tuple: tuple().to_words(),
        }],
        most_bytes: u64::MAX,
    };
    let mut exporter = Exporter::new(&mut trace, &start(), options);
    feed(&mut exporter);
    exporter.take(Input::Ended(&Ended::default()));
    let written = exporter.finish().unwrap();
    (Read::of(&trace), written)
}

/// A packet of an entry in the table, this number of nanoseconds after the start.
fn packet(after_ns: u64, duration_ns: Option<u32>) -> PacketRecord {
    let timed = if duration_ns.is_some() {
        PacketFlags::DURATION
    } else {
        0
    };
    PacketRecord {
        kind: kind::PACKET,
        flags: PacketFlags::BEFORE | PacketFlags::AFTER | timed,
        verdict: 1,
        time_ns: STARTED_NS + after_ns,
        duration_ns: duration_ns.unwrap_or(0),
        ct: 0x1000,
        birth_ns: STARTED_NS,
        netns: 1,
        status_before: status::CONFIRMED,
        status_after: status::CONFIRMED,
        tuple: tuple().to_words(),
        ..PacketRecord::default()
    }
}

fn entry(of: EntryKind, after_ns: u64, birth_ns: u64) -> EntryRecord {
    EntryRecord {
        kind: kind::ENTRY,
        what: of as u8,
        flags: EntryFlags::RETURNED,
        ret: 1,
        time_ns: STARTED_NS + after_ns,
        ct: 0x1000,
        birth_ns: STARTED_NS + birth_ns,
        netns: 1,
        status_before: status::CONFIRMED,
        status_after: status::CONFIRMED,
        orig: tuple().to_words(),
        reply: inverse(&tuple()).to_words(),
        ..EntryRecord::default()
    }
}

fn take_packet(exporter: &mut Exporter<&mut Vec<u8>>, record: &PacketRecord) {
    exporter.take(Input::Record(Record::Packet(record)));
}

fn take_entry(exporter: &mut Exporter<&mut Vec<u8>>, record: &EntryRecord) {
    exporter.take(Input::Record(Record::Entry(record)));
}

#[test]
fn a_recording_without_packets_is_a_trace() {
    let (read, written) = traced(|_| {});
    assert_eq!((read.slices.len(), written.packets), (0, 0));
    assert!(written.bytes > 0 && written.full_after_ns.is_none());
}

#[test]
fn each_namespace_has_its_tracks() {
    let (read, _) = traced(|exporter| {
        for netns in 0..300 {
            let record = PacketRecord {
                netns,
                ct: 0x1000 + u64::from(netns),
                ..packet(u64::from(netns), None)
            };
            take_packet(exporter, &record);
        }
    });
    for (name, expected) in [("netns", 300), ("CPU 0", 300), ("packets/s", 301)] {
        let found = read.count_tracks(|track| track.starts_with(name));
        // One flow has a track, so 299 namespaces have the counter of the others.
        let others = if name == "packets/s" { 298 } else { 0 };
        assert_eq!(found, expected + others, "{name}");
    }
}

#[test]
fn a_quiet_week_needs_little_space() {
    const WEEK: u64 = 7 * 24 * 3600;
    let (read, written) = traced(|exporter| {
        for second in 0..WEEK {
            if second % 3600 == 0 {
                take_packet(exporter, &packet(second * SECOND, Some(1000)));
            }
            exporter.take(Input::Settled {
                now_ns: STARTED_NS + second * SECOND,
            });
        }
    });
    assert_eq!(read.of_category("packet").count(), 7 * 24);
    assert!(written.bytes < 100_000, "{} bytes", written.bytes);
    let rates = read.values("packets/s");
    assert_eq!(rates.len(), 2 * 7 * 24, "one and zero, each hour");
}

#[test]
fn rates_are_those_of_each_second() {
    let (read, _) = traced(|exporter| {
        for (after_ms, count) in [(0, 2), (999, 1), (1500, 4), (7000, 1)] {
            for _ in 0..count {
                take_packet(exporter, &packet(after_ms * 1_000_000, None));
            }
            exporter.take(Input::Settled {
                now_ns: STARTED_NS + after_ms * 1_000_000,
            });
        }
    });
    let at = |second: u64| STARTED_NS + second * SECOND;
    let expected = [(at(0), 3), (at(1), 4), (at(2), 0), (at(7), 1)];
    assert_eq!(read.values("packets/s"), expected);
}

#[test]
fn a_flow_has_a_slice_for_each_of_its_entries() {
    let (read, _) = traced(|exporter| {
        // Seen from its first packet to its deletion.
        take_packet(exporter, &packet(50, None));
        take_entry(exporter, &entry(EntryKind::Delete, 100, 0));
        // A packet in flight.
        take_packet(exporter, &packet(120, None));
        take_entry(exporter, &entry(EntryKind::Destroy, 130, 0));
        // Its deletion is not seen.
        take_entry(exporter, &entry(EntryKind::Confirm, 220, 200));
        take_entry(exporter, &entry(EntryKind::Confirm, 320, 300));
    });
    let slices = read.of_category("flow").filter(|slice| slice.name == "entry");
    let found: Vec<_> = slices
        .map(|slice| {
            let text = |name: &str| slice.annotations.get(name).cloned().unwrap_or_default();
            let after = |time_ns: u64| time_ns - STARTED_NS;
            (
                after(slice.begin_ns),
                slice.end_ns.map(after),
                text("begin"),
                text("end"),
            )
        })
        .collect();
    let own = |begin, end, begun: &str, ended: &str| (begin, end, begun.to_owned(), ended.to_owned());
    assert_eq!(
        found,
        [
            own(0, Some(100), "first seen", "expired"),
            own(200, Some(300), "allocated", "not seen"),
            own(300, None, "allocated", ""),
        ]
    );
    let instants = read.of_category("flow").filter(|slice| slice.name == "orig");
    assert_eq!(instants.count(), 2);
}

#[test]
fn a_packet_needs_few_bytes() {
    let bytes = |count: u64| {
        let (_, written) = traced(|exporter| {
            for number in 0..count {
                let record = PacketRecord {
                    netns: 2,
                    ..packet(number * 10_000, Some(1000))
                };
                take_packet(exporter, &record);
            }
        });
        written.bytes
    };
    let per_packet = (bytes(2000) - bytes(1000)) / 1000;
    assert!(per_packet < 220, "{per_packet} bytes per packet");
}

#[test]
fn losses_have_their_number() {
    let (read, _) = traced(|exporter| {
        exporter.take(Input::Notice(&Notice::Loss {
            lost: 12,
            total: 12,
            losses: Lost::default(),
            skipped: 0,
        }));
    });
    let lost: Vec<_> = read.of_category("loss").collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].annotations["count"], "12");
}

proptest! {
    #[test]
    fn each_slice_has_the_duration_of_its_record(
        packets in proptest::collection::vec((0_u64..3000, proptest::option::of(0_u32..500), 0_u16..3, 0_u64..30), 0..120),
    ) {
        let count = packets.len();
        let (read, written) = traced(|exporter| {
            for (after_us, duration_us, cpu, settles) in packets {
                let record = PacketRecord {
                    cpu,
                    ..packet(after_us * 1000, duration_us.map(|duration_us| duration_us * 1000))
                };
                take_packet(exporter, &record);
                if settles == 0 {
                    exporter.take(Input::Settled { now_ns: record.time_ns + 21_000_000 });
                }
            }
        });
        prop_assert_eq!(written.packets, count as u64);
        prop_assert_eq!(read.of_category("packet").count(), count);
        for slice in read.of_category("packet") {
            let duration_ns = slice.end_ns.unwrap() - slice.begin_ns;
            let measured = slice.annotations.get("duration_ns").map_or("0", String::as_str);
            // In more lanes than there are, it is an instant.
            prop_assert!(duration_ns == 0 || duration_ns.to_string() == measured, "{:?}", slice);
        }
    }
}
