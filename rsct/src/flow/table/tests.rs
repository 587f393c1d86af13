//! Flows, from the records of packets and entries.

use super::*;

const SECOND: u64 = 1_000_000_000;
const HZ: u32 = 250;

fn table() -> FlowTable {
    FlowTable::new(HZ)
}

/// A packet of the confirmed entry at this address, whose timeout has 30 s left.
fn packet(ct: u64, time_ns: u64) -> PacketRecord {
    PacketRecord {
        ct,
        birth_ns: 1,
        netns: 1,
        time_ns,
        flags: PacketFlags::BEFORE | PacketFlags::AFTER | PacketFlags::MARK,
        status_before: status::CONFIRMED,
        status_after: status::CONFIRMED | status::SEEN_REPLY,
        state_after: 3,
        mark: 5,
        now_jiffies: 1000,
        timeout_after_jiffies: 1000 + 30 * HZ,
        tuple: [ct; 5],
        ..PacketRecord::default()
    }
}

/// An operation on the same entry, before which it was confirmed and had 20 s left.
fn entry(kind: EntryKind, ct: u64, time_ns: u64) -> EntryRecord {
    EntryRecord {
        what: kind as u8,
        ct,
        birth_ns: 1,
        netns: 1,
        time_ns,
        orig: [ct; 5],
        reply: [ct + 100; 5],
        status_before: status::CONFIRMED,
        state_before: 1,
        mark: 7,
        now_jiffies: 1000,
        timeout_before_jiffies: 1000 + 20 * HZ,
        ..EntryRecord::default()
    }
}

fn numbers(table: &FlowTable) -> Vec<u64> {
    let mut numbers: Vec<u64> = table.flows().map(|flow| flow.number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_flow_is_as_its_last_packet_left_it() {
    let mut table = table();
    let flow = *table.packet(&packet(7, SECOND)).unwrap();
    assert_eq!(flow.status, status::CONFIRMED | status::SEEN_REPLY);
    assert_eq!((flow.state, flow.mark, flow.last_ns), (3, 5, SECOND));
    assert_eq!(flow.expires_ns, Some(31 * SECOND));
    assert_eq!(flow.policy, PolicyOf::NONE);
    // A packet whose state or mark afterwards is unknown changes neither.
    let partial = PacketRecord {
        flags: PacketFlags::BEFORE,
        mark: 9,
        status_after: 0,
        state_after: 0,
        ..packet(7, 2 * SECOND)
    };
    let after = *table.packet(&partial).unwrap();
    assert_eq!(
        (after.number, after.status, after.state, after.mark),
        (flow.number, flow.status, 3, 5)
    );
    assert_eq!((after.last_ns, after.expires_ns), (2 * SECOND, Some(31 * SECOND)));
    // An expired timeout leaves no time.
    let expired = PacketRecord {
        timeout_after_jiffies: 900,
        ..packet(7, 3 * SECOND)
    };
    assert_eq!(table.packet(&expired).unwrap().expires_ns, Some(3 * SECOND));
    // An unconfirmed entry is in no table, where it could expire.
    let unconfirmed = PacketRecord {
        status_after: 0,
        ..packet(7, 4 * SECOND)
    };
    assert_eq!(table.packet(&unconfirmed).unwrap().expires_ns, None);
}

#[test]
fn packets_of_flows_in_turn_stay_apart() {
    let mut table = table();
    let numbers = [7, 8, 7, 8, 8, 7].map(|ct| table.packet(&packet(ct, SECOND)).unwrap().number);
    let [first, second] = [numbers[0], numbers[1]];
    assert_eq!(numbers, [first, second, first, second, second, first]);
    assert_ne!(first, second);
    assert_eq!((table.len(), table.is_empty()), (2, false));
    // The address alone does not identify an entry.
    let reused = PacketRecord {
        birth_ns: 2,
        tuple: [9; 5],
        ..packet(7, SECOND)
    };
    assert_ne!(table.packet(&reused).unwrap().number, first);
}

#[test]
fn a_packet_without_an_entry_has_no_flow() {
    let mut table = table();
    assert!(table.packet(&packet(0, SECOND)).is_none());
    assert!(table.entry(&entry(EntryKind::Insert, 0, SECOND)).is_none());
    // The entry that the packet created was discarded with it.
    let discarded = PacketRecord {
        flags: 0,
        ..packet(7, SECOND)
    };
    let unconfirmed = PacketRecord {
        flags: PacketFlags::BEFORE,
        status_before: 0,
        ..discarded
    };
    for record in [discarded, unconfirmed] {
        assert!(table.packet(&record).is_none());
    }
    assert!(table.is_empty());
    // A dropped packet of an entry in the table, and one that passed before, belong to it.
    let dropped = PacketRecord {
        flags: PacketFlags::BEFORE,
        ..packet(7, SECOND)
    };
    let again = PacketRecord {
        flags: PacketFlags::SEEN_ALREADY,
        ..packet(8, SECOND)
    };
    for record in [dropped, again, packet(9, SECOND)] {
        assert!(table.packet(&record).is_some());
    }
}

#[test]
fn a_flow_is_found_by_its_packet_and_by_its_tuple() {
    let mut table = table();
    let number = table.packet(&packet(7, SECOND)).unwrap().number;
    let found = |record: &PacketRecord| table.of_packet(record).map(|flow| flow.number);
    assert_eq!(found(&packet(7, SECOND)), Some(number));
    let other_tuple = PacketRecord {
        tuple: [1; 5],
        ..packet(7, SECOND)
    };
    assert_eq!(found(&other_tuple), Some(number));
    let other_address = PacketRecord {
        ct: 8,
        ..packet(7, SECOND)
    };
    assert_eq!(found(&other_address), Some(number));
    assert_eq!(found(&packet(8, SECOND)), None);
    let key = TupleKey::of_packet(&packet(7, SECOND));
    assert_eq!(table.of_tuple(&key).map(|flow| flow.number), Some(number));
    assert!(table.of_tuple(&TupleKey { zone: 1, ..key }).is_none());
}

#[test]
fn an_operation_leaves_the_state_that_it_returned() {
    let mut table = table();
    let returned = EntryRecord {
        flags: EntryFlags::RETURNED,
        status_after: status::CONFIRMED | status::ASSURED,
        state_after: 4,
        timeout_after_jiffies: 1000 + 40 * HZ,
        ..entry(EntryKind::Confirm, 7, SECOND)
    };
    let flow = table.entry(&returned).unwrap();
    assert_eq!(flow.status, status::CONFIRMED | status::ASSURED);
    assert_eq!((flow.state, flow.mark, flow.last_ns), (4, 7, SECOND));
    assert_eq!(flow.expires_ns, Some(41 * SECOND));
    assert_eq!(
        (flow.reply, flow.reply_known, flow.from_probe),
        ([107; 5], true, true)
    );
    // Without it, the state before.
    for record in [
        EntryRecord { flags: 0, ..returned },
        EntryRecord {
            status_after: 0,
            ..returned
        },
    ] {
        let flow = table.entry(&record).unwrap();
        assert_eq!((flow.status, flow.state), (status::CONFIRMED, 1));
        assert_eq!(flow.expires_ns, Some(21 * SECOND));
    }
    // An inserted entry is in the table before the kernel sets the bit, but its timeout is still a span.
    let inserted = EntryRecord {
        status_before: 0,
        ..entry(EntryKind::Insert, 7, 2 * SECOND)
    };
    let flow = table.entry(&inserted).unwrap();
    assert_eq!(flow.status, status::CONFIRMED);
    assert_eq!(flow.expires_ns, Some(21 * SECOND));
}

#[test]
fn a_deleted_flow_keeps_its_late_packets_until_it_is_destroyed() {
    let mut table = table();
    let number = table.packet(&packet(7, SECOND)).unwrap().number;
    let deleted = table.entry(&entry(EntryKind::Delete, 7, 2 * SECOND)).unwrap();
    assert_eq!((deleted.number, deleted.last_ns), (number, 2 * SECOND));
    assert!(table.is_empty());
    // Another flow has its tuple now.
    let next = PacketRecord {
        ct: 8,
        tuple: [7; 5],
        ..packet(8, 3 * SECOND)
    };
    let next = table.packet(&next).unwrap().number;
    assert_eq!(table.packet(&packet(7, 3 * SECOND)).unwrap().number, number);
    assert_eq!(numbers(&table), [next]);
    let late = entry(EntryKind::Refresh, 7, 3 * SECOND);
    assert_eq!(table.entry(&late).map(|flow| flow.number), Some(number));
    let destroyed = entry(EntryKind::Destroy, 7, 4 * SECOND);
    assert_eq!(table.entry(&destroyed).map(|flow| flow.number), Some(number));
    assert_eq!(numbers(&table), [next]);
    let of_next = EntryRecord {
        ct: 8,
        ..entry(EntryKind::Delete, 7, 5 * SECOND)
    };
    assert_eq!(table.entry(&of_next).map(|flow| flow.number), Some(next));
    // Nothing is kept of the first one.
    assert!(table.entry(&destroyed).is_none());
}

#[test]
fn a_dump_forgets_flows_whose_destroy_record_was_lost() {
    let mut table = table();
    let number = table.packet(&packet(7, SECOND)).unwrap().number;
    table.entry(&entry(EntryKind::Delete, 7, 2 * SECOND));
    let late_packet = |table: &mut FlowTable| table.packet(&packet(7, 9 * SECOND)).map(|flow| flow.number);
    table.begin_dump(2 * SECOND, true);
    table.end_dump(3 * SECOND, |_| Coverage::Whole);
    assert_eq!(late_packet(&mut table), Some(number));
    table.begin_dump(2 * SECOND + 1, false);
    table.end_dump(3 * SECOND, |_| Coverage::Whole);
    assert_ne!(late_packet(&mut table), Some(number));
}

#[test]
fn a_delete_of_an_entry_that_is_dying_ends_nothing() {
    let mut table = table();
    let number = table.packet(&packet(7, SECOND)).unwrap().number;
    let again = EntryRecord {
        flags: EntryFlags::RETURNED,
        status_before: status::CONFIRMED | status::DYING,
        ..entry(EntryKind::Delete, 7, 2 * SECOND)
    };
    assert_eq!(table.entry(&again).map(|flow| flow.number), Some(number));
    assert_eq!(numbers(&table), [number]);
    // The end of an unknown flow adds none.
    for kind in [EntryKind::Delete, EntryKind::Destroy] {
        assert!(table.entry(&entry(kind, 8, SECOND)).is_none());
    }
    assert_eq!(numbers(&table), [number]);
    // Without a delete, destroying it is its end.
    let destroyed = table.entry(&entry(EntryKind::Destroy, 7, 3 * SECOND));
    assert_eq!(destroyed.map(|flow| flow.number), Some(number));
    assert!(table.is_empty());
}

#[test]
fn a_policy_governs_a_known_flow_until_it_ends() {
    let mut table = table();
    let policy = PolicyOf::numbered(0);
    let key = FlowKey { ct: 7, birth_ns: 1 };
    table.packet(&packet(7, SECOND));
    table.packet(&packet(8, SECOND));
    table.governed(key, policy);
    let policies = |table: &mut FlowTable| [7, 8].map(|ct| table.packet(&packet(ct, SECOND)).unwrap().policy);
    assert_eq!(policies(&mut table), [policy, PolicyOf::NONE]);
    table.policy_ended(PolicyOf::numbered(1));
    assert_eq!(policies(&mut table), [policy, PolicyOf::NONE]);
    table.policy_ended(policy);
    assert_eq!(policies(&mut table), [PolicyOf::NONE; 2]);
    // A packet with a policy that no record identified.
    let with_policy = PacketRecord {
        flags: packet(7, SECOND).flags | PacketFlags::POLICY,
        ..packet(7, SECOND)
    };
    assert_eq!(table.packet(&with_policy).unwrap().policy, PolicyOf::LOST);
    table.governed(key, policy);
    assert_eq!(table.packet(&with_policy).unwrap().policy, policy);
}

#[test]
fn the_policy_of_a_destroyed_entry_governs_no_other() {
    let mut table = table();
    table.governed(FlowKey { ct: 7, birth_ns: 1 }, PolicyOf::numbered(0));
    table.entry(&entry(EntryKind::Destroy, 7, SECOND));
    assert_eq!(table.packet(&packet(7, SECOND)).unwrap().policy, PolicyOf::NONE);
}

#[test]
fn a_deleted_policy_does_not_govern_flows_seen_later() {
    let record = PacketRecord {
        ct: 1,
        birth_ns: 2,
        flags: PacketFlags::AFTER,
        status_after: status::CONFIRMED,
        ..PacketRecord::default()
    };
    let key = FlowKey { ct: 1, birth_ns: 2 };
    let policy_of = |ends: bool| {
        let mut table = FlowTable::new(250);
        table.governed(key, PolicyOf::numbered(0));
        if ends {
            table.policy_ended(PolicyOf::numbered(0));
        }
        table.packet(&record).map(|flow| flow.policy)
    };
    assert_eq!(policy_of(false), Some(PolicyOf::numbered(0)));
    assert_eq!(policy_of(true), Some(PolicyOf::NONE));
}
