//! Causes find the packet or the entry that they explain.

use rsct_common::record::{EntryKind, PacketFlags};
use zerocopy::FromZeros as _;

use super::*;
use crate::names::{proto, verdict};

const SECOND: u64 = 1_000_000_000;
/// The task of every added cause.
const ADDED: u32 = 99;

fn attached() -> Whys {
    Whys {
        programs: Programs::Attached,
        ..Whys::default()
    }
}

fn tuple(port: u16) -> Tuple {
    Tuple {
        src_l4: port.to_be_bytes(),
        dst_l4: 80_u16.to_be_bytes(),
        l3num: 2_u16.to_ne_bytes(),
        protonum: proto::TCP,
        ..Tuple::default()
    }
}

fn cause(family: CauseFamily, time_ns: u64) -> CauseRecord {
    CauseRecord {
        family: family as u8,
        what: 1,
        pid: ADDED,
        time_ns,
        ct: 7,
        cpu: 1,
        tuple: tuple(1).to_words(),
        ..CauseRecord::new_zeroed()
    }
}

/// A packet that conntrack found INVALID, during a thousandth of a second.
fn invalid(time_ns: u64) -> PacketRecord {
    PacketRecord {
        time_ns,
        duration_ns: 1_000_000,
        cpu: 1,
        verdict: verdict::ACCEPT as u8,
        flags: PacketFlags::DURATION,
        tuple: tuple(1).to_words(),
        ..PacketRecord::default()
    }
}

fn operation(kind: EntryKind, ct: u64, time_ns: u64) -> EntryRecord {
    EntryRecord {
        what: kind as u8,
        ct,
        time_ns,
        orig: tuple(1).to_words(),
        ..EntryRecord::default()
    }
}

/// The time of the cause, if the packet's is one that was added.
fn claimed(whys: &mut Whys, record: &PacketRecord) -> Option<u64> {
    let why = whys.of_invalid(record, u64::MAX)?;
    (why.record.pid == ADDED).then_some(why.record.time_ns)
}

fn unclaimed(whys: &Whys, family: CauseFamily) -> Vec<u64> {
    whys.unclaimed[family as usize]
        .iter()
        .map(|cause| cause.time_ns)
        .collect()
}

#[test]
fn records_that_may_have_a_cause_wait_for_it() {
    let entry = |kind| operation(kind, 7, 1);
    let failed = |kind, ret| EntryRecord { ret, ..entry(kind) };
    let accepted = PacketRecord {
        flags: PacketFlags::AFTER,
        ..invalid(1)
    };
    for (record, may) in [
        (Record::Packet(&invalid(1)), true),
        (Record::Packet(&accepted), false),
        (Record::Entry(&entry(EntryKind::Delete)), true),
        (Record::Entry(&entry(EntryKind::AllocFailed)), true),
        (Record::Entry(&failed(EntryKind::Confirm, 0)), true),
        (
            Record::Entry(&failed(EntryKind::Confirm, verdict::ACCEPT.cast_signed())),
            false,
        ),
        (Record::Entry(&failed(EntryKind::CheckInsert, -17)), true),
        (Record::Entry(&failed(EntryKind::CheckInsert, 0)), false),
        (Record::Entry(&entry(EntryKind::Insert)), false),
        (Record::Cause(&cause(CauseFamily::Delete, 1)), false),
    ] {
        assert_eq!(may_have_cause(&record), may, "{record:?}");
    }
}

#[test]
fn an_invalid_packet_claims_the_first_cause_of_its_traversal() {
    let mut whys = attached();
    let start = SECOND;
    for time_ns in [start - 1, start + 5, start + 6, start + 1_000_000] {
        whys.add(&cause(CauseFamily::Invalid, time_ns));
    }
    whys.add(&CauseRecord {
        cpu: 2,
        ..cause(CauseFamily::Invalid, start + 1)
    });
    assert_eq!(claimed(&mut whys, &invalid(start)), Some(start + 5));
    assert_eq!(claimed(&mut whys, &invalid(start)), Some(start + 6));
    // Until the end of the traversal, and not later.
    assert_eq!(claimed(&mut whys, &invalid(start)), Some(start + 1_000_000));
    assert_eq!(claimed(&mut whys, &invalid(start)), None);
    assert_eq!(unclaimed(&whys, CauseFamily::Invalid), [start - 1, start + 1]);
}

#[test]
fn the_cause_has_the_headers_of_the_packet_or_of_its_entry() {
    for (port, is_it) in [(1, true), (2, false)] {
        let mut whys = attached();
        whys.add(&CauseRecord {
            tuple: tuple(port).to_words(),
            ..cause(CauseFamily::Invalid, SECOND)
        });
        assert_eq!(claimed(&mut whys, &invalid(SECOND)).is_some(), is_it);
    }
    let mut whys = attached();
    whys.add(&CauseRecord {
        tuple: tuples::inverse(&tuple(1)).to_words(),
        ..cause(CauseFamily::Invalid, SECOND)
    });
    assert!(claimed(&mut whys, &invalid(SECOND)).is_some());
}

#[test]
fn after_a_loss_a_missing_cause_is_unknown() {
    let kind_at = |whys: &mut Whys, now_ns| whys.of_invalid(&invalid(SECOND), now_ns).unwrap().cause;
    let mut whys = attached();
    let known = kind_at(&mut whys, SECOND);
    whys.lost(0, 5 * SECOND);
    assert_eq!(kind_at(&mut whys, SECOND), known);
    whys.lost(3, SECOND);
    let unknown = kind_at(&mut whys, SECOND + LOSS_NS - 1);
    assert_ne!(unknown, known);
    assert_eq!(kind_at(&mut whys, SECOND + LOSS_NS), known);
    // The same total is no further loss.
    whys.lost(3, 5 * SECOND);
    assert_eq!(kind_at(&mut whys, SECOND + LOSS_NS), known);
    // Nor does the kind of packet show a cause if the log messages are not seen.
    whys.symbols.set_without_log_messages();
    assert_eq!(kind_at(&mut whys, SECOND + LOSS_NS), unknown);
}

#[test]
fn an_operation_claims_the_nearest_cause() {
    for (kind, ret, family, by_address, by_tuple) in [
        (EntryKind::Delete, 0, CauseFamily::Delete, true, false),
        (EntryKind::Confirm, 0, CauseFamily::Insert, true, true),
        (EntryKind::CheckInsert, -17, CauseFamily::Insert, false, true),
        (EntryKind::AllocFailed, 0, CauseFamily::Full, false, true),
    ] {
        let record = EntryRecord {
            ret,
            ..operation(kind, 7, SECOND)
        };
        let claims = |cause: CauseRecord| {
            let mut whys = attached();
            whys.add(&cause);
            let _ = whys.of_entry(&record);
            unclaimed(&whys, family).is_empty()
        };
        let same = cause(family, SECOND);
        let other_tuple = tuple(2).to_words();
        assert!(claims(same), "{kind:?}");
        assert_eq!(claims(CauseRecord { ct: 8, ..same }), by_tuple, "{kind:?}");
        let moved = CauseRecord {
            tuple: other_tuple,
            ..same
        };
        assert_eq!(claims(moved), by_address, "{kind:?}");
        assert!(!claims(CauseRecord { ct: 8, ..moved }), "{kind:?}");
        // A host may stop the CPU for a while between both programs.
        for (time_ns, is_near) in [
            (SECOND + APART_NS - 1, true),
            (SECOND + APART_NS, false),
            (SECOND - APART_NS + 1, true),
            (SECOND - APART_NS, false),
        ] {
            assert_eq!(claims(CauseRecord { time_ns, ..same }), is_near, "{kind:?}");
        }
    }
    let mut whys = attached();
    for time_ns in [SECOND - 30, SECOND + 20, SECOND + 40] {
        whys.add(&cause(CauseFamily::Delete, time_ns));
    }
    whys.of_entry(&operation(EntryKind::Delete, 7, SECOND));
    assert_eq!(unclaimed(&whys, CauseFamily::Delete), [SECOND - 30, SECOND + 40]);
    assert!(whys.of_entry(&operation(EntryKind::Insert, 7, SECOND)).is_none());
}

#[test]
fn causes_are_kept_for_a_second_and_only_if_they_are_reported() {
    let mut whys = attached();
    for time_ns in [1, 2, SECOND + 1, SECOND + 2] {
        whys.add(&cause(CauseFamily::Invalid, time_ns));
    }
    assert_eq!(
        unclaimed(&whys, CauseFamily::Invalid),
        [2, SECOND + 1, SECOND + 2]
    );
    whys.add(&CauseRecord {
        family: 200,
        ..cause(CauseFamily::Invalid, 1)
    });
    for (programs, kept, explains) in [
        (Programs::Absent, 0, false),
        (Programs::Coming, 1, false),
        (Programs::Attached, 1, true),
    ] {
        let mut whys = Whys {
            programs,
            ..Whys::default()
        };
        whys.add(&cause(CauseFamily::Invalid, SECOND));
        assert_eq!(unclaimed(&whys, CauseFamily::Invalid).len(), kept);
        assert_eq!(whys.of_invalid(&invalid(SECOND), 0).is_some(), explains);
        whys.add(&cause(CauseFamily::Delete, SECOND));
        whys.of_entry(&operation(EntryKind::Delete, 7, SECOND));
        assert_eq!(
            unclaimed(&whys, CauseFamily::Delete).is_empty(),
            explains || kept == 0
        );
    }
}

#[test]
fn causes_before_the_settled_time_that_nothing_claims_stand_alone() {
    let mut whys = attached();
    for time_ns in [1, 2, 3] {
        whys.add(&cause(CauseFamily::Insert, time_ns));
        whys.add(&cause(CauseFamily::Invalid, time_ns));
        whys.add(&cause(CauseFamily::Delete, time_ns));
    }
    let mut alone = Vec::new();
    whys.alone(3, |why| alone.push((why.record.family, why.record.time_ns)));
    let family = CauseFamily::Insert as u8;
    assert_eq!(alone, [(family, 1), (family, 2)]);
    assert_eq!(unclaimed(&whys, CauseFamily::Insert), [3]);
    for family in [CauseFamily::Invalid, CauseFamily::Delete] {
        assert_eq!(unclaimed(&whys, family).len(), 3);
    }
}
