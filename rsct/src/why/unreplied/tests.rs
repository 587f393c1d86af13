use rsct_common::record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord};

use super::*;
use crate::{
    flow::{FlowTable, HookPoint, reconcile::DumpedEntry},
    observe::{Observation, Reason},
    render::printed::Printer as _,
    why::words,
};

const NETNS: u32 = 4_026_532_000;
const OTHER: u32 = 4_026_532_001;
const ORIG: &str = "udp src=10.0.0.1 dst=10.0.0.2 sport=1000 dport=53";

fn tuple(typed: &str) -> Tuple {
    words::parse(&[typed]).unwrap().orig
}

/// A dumped entry of zone 5 that expects this reply.
fn dumped(orig: &str, reply: &str, status: u32) -> DumpedEntry {
    let reply = Tuple {
        dir: 1,
        ..tuple(reply)
    };
    DumpedEntry {
        key: TupleKey {
            netns: NETNS,
            zone: 5,
            orig: tuple(orig).to_words(),
        },
        reply: reply.to_words(),
        status: status | status::CONFIRMED,
        state: 0,
        mark: 0,
        timeout_seconds: Some(30),
    }
}

fn flow(reply: &str, status: u32) -> Flow {
    let mut table = FlowTable::new(250);
    table.begin_dump(1, true);
    table.dumped(&dumped(ORIG, reply, status), 1);
    *table.flows().next().unwrap()
}

/// A group of one packet.
fn group(typed: &str, netns: u32, outcome: Outcome, direction: PacketDirection, flow: u64) -> PacketGroup {
    PacketGroup {
        error: None,
        place: HookPoint {
            netns,
            hook: 0,
            ifindex: 2,
        },
        outcome,
        direction,
        zone: 5,
        flow,
        headers: tuple(typed),
    }
}

const REPLY: &str = "udp src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1000";
/// From another address of the peer's.
const OTHER_END: &str = "udp src=10.0.0.3 dst=10.0.0.1 sport=53 dport=1000";
const OTHER_ENDS_REPLY: &str = "udp src=10.0.0.1 dst=10.0.0.3 sport=1000 dport=53";

fn judge(flow: Flow, passed: &[PacketGroup]) -> Diagnosis {
    let mut sightings = Sightings::default();
    for (time_ns, group) in (10..).zip(passed) {
        sightings.count(*group, time_ns);
    }
    Index::of(&sightings).judge(Subject { flow, ended: None })
}

/// A request of the entry's own.
fn request(flow: &Flow) -> PacketGroup {
    group(ORIG, NETNS, Outcome::Tracked, PacketDirection::Orig, flow.number)
}

#[test]
fn without_packets_the_verdict_is_no_packets_now() {
    let answer = judge(flow(REPLY, 0), &[]);
    assert_eq!((answer.verdict, answer.because), (Verdict::NoPacketsNow, None));
}

#[test]
fn requests_alone_are_one_way_wherever_they_arrive() {
    let flow = flow(REPLY, 0);
    let answer = judge(
        flow,
        &[
            request(&flow),
            request(&flow),
            group(ORIG, OTHER, Outcome::Created, PacketDirection::Orig, 99),
        ],
    );
    assert_eq!(answer.verdict, Verdict::OneWay);
    assert_eq!(answer.packets(Role::Request), 2);
    let roles: Vec<_> = answer.seen.iter().map(|seen| seen.role).collect();
    assert_eq!(roles, [Role::Request, Role::RequestElsewhere]);
}

#[test]
fn the_outcome_of_the_reply_is_the_verdict() {
    let flow = flow(REPLY, 0);
    let own = flow.number;
    for (reply, verdict) in [
        (
            group(REPLY, NETNS, Outcome::Invalid, PacketDirection::NoEntry, 0),
            Verdict::ReplyInvalid,
        ),
        // Conntrack found its entry, and refused it.
        (
            group(REPLY, NETNS, Outcome::Invalid, PacketDirection::Reply, own),
            Verdict::ReplyInvalid,
        ),
        (
            group(REPLY, NETNS, Outcome::Untracked, PacketDirection::NoEntry, 0),
            Verdict::ReplyUntracked,
        ),
        (
            group(REPLY, NETNS, Outcome::Dropped, PacketDirection::NoEntry, 0),
            Verdict::ReplyDropped,
        ),
        (
            group(REPLY, NETNS, Outcome::Created, PacketDirection::Orig, 99),
            Verdict::ReplyIsAnotherFlow,
        ),
        (
            group(OTHER_END, NETNS, Outcome::Created, PacketDirection::Orig, 99),
            Verdict::ReplyIsAnotherFlow,
        ),
        // The same in another namespace is unrelated.
        (
            group(OTHER_END, OTHER, Outcome::Created, PacketDirection::Orig, 99),
            Verdict::OneWay,
        ),
        (
            group(REPLY, OTHER, Outcome::Tracked, PacketDirection::Reply, 99),
            Verdict::ReplyElsewhere,
        ),
        (
            group(REPLY, NETNS, Outcome::Tracked, PacketDirection::Error, own),
            Verdict::IcmpError,
        ),
    ] {
        let answer = judge(flow, &[request(&flow), reply]);
        assert_eq!(answer.verdict, verdict, "{reply:?}");
    }
}

#[test]
fn what_another_entry_waits_for_is_a_stray_reply() {
    let mut table = FlowTable::new(250);
    table.begin_dump(1, true);
    for (orig, reply) in [(ORIG, REPLY), (OTHER_END, OTHER_ENDS_REPLY)] {
        table.dumped(&dumped(orig, reply, 0), 1);
    }
    let mut sightings = Sightings::default();
    for flow in table.flows() {
        let typed = if flow.orig_tuple() == tuple(ORIG) {
            ORIG
        } else {
            OTHER_END
        };
        let own = group(typed, NETNS, Outcome::Tracked, PacketDirection::Orig, flow.number);
        sightings.count(own, 7);
    }
    let subjects = table.flows().map(|flow| Subject {
        flow: *flow,
        ended: None,
    });
    let answers = Index::of(&sightings).judge_all(subjects);
    for answer in answers {
        if answer.subject.flow.orig_tuple() == tuple(ORIG) {
            assert_eq!(
                (answer.verdict, answer.answers),
                (Verdict::ReplyIsAnotherFlow, None)
            );
        } else {
            assert_eq!(answer.verdict, Verdict::StrayReply);
            assert_eq!(answer.answers.map(|key| key.orig), Some(tuple(ORIG).to_words()));
        }
    }
}

#[test]
fn a_refused_packet_is_a_reply_if_no_request_was_seen_there() {
    let flow = flow(REPLY, 0);
    let refused = group(
        ORIG,
        NETNS,
        Outcome::Invalid,
        PacketDirection::Refused,
        flow.number,
    );
    assert_eq!(judge(flow, &[request(&flow), refused]).verdict, Verdict::OneWay);
    let elsewhere = PacketGroup {
        place: HookPoint {
            ifindex: 3,
            ..refused.place
        },
        ..refused
    };
    assert_eq!(
        judge(flow, &[request(&flow), elsewhere]).verdict,
        Verdict::ReplyInvalid
    );
}

#[test]
fn a_reply_that_is_not_translated_is_another_flow() {
    // The entry's source is translated to 192.0.2.1:7, and the peer answers to the untranslated address.
    let flow = flow("udp src=10.0.0.2 dst=192.0.2.1 sport=53 dport=7", 0);
    let untranslated = group(REPLY, NETNS, Outcome::Created, PacketDirection::Orig, 99);
    let answer = judge(flow, &[request(&flow), untranslated]);
    assert_eq!(answer.verdict, Verdict::ReplyIsAnotherFlow);
    assert_eq!(answer.seen[answer.because.unwrap()].group, untranslated);
    // On the other side of the translation, its requests and replies have other headers.
    let translated = |typed: &str, direction| group(typed, OTHER, Outcome::Tracked, direction, 98);
    let answer = judge(
        flow,
        &[
            request(&flow),
            translated(
                "udp src=192.0.2.1 dst=10.0.0.2 sport=7 dport=53",
                PacketDirection::Orig,
            ),
            translated(
                "udp src=10.0.0.2 dst=192.0.2.1 sport=53 dport=7",
                PacketDirection::Reply,
            ),
        ],
    );
    assert_eq!(answer.verdict, Verdict::ReplyElsewhere);
    let roles: Vec<_> = answer.seen.iter().map(|seen| seen.role).collect();
    assert_eq!(
        roles,
        [Role::Request, Role::RequestElsewhere, Role::ReplyElsewhere]
    );
}

#[test]
fn a_second_traversal_of_a_packet_is_listed_and_not_counted() {
    let flow = flow(REPLY, 0);
    let again = PacketGroup {
        outcome: Outcome::TrackedAlready,
        ..request(&flow)
    };
    let answer = judge(flow, &[request(&flow), again]);
    assert_eq!((answer.seen.len(), answer.packets(Role::Request)), (2, 1));
}

#[test]
fn the_first_packet_is_counted_with_the_later_ones() {
    let flow = flow(REPLY, 0);
    let created = PacketGroup {
        outcome: Outcome::Created,
        ..request(&flow)
    };
    let other_zone = PacketGroup {
        zone: 6,
        flow: 99,
        ..created
    };
    let answer = judge(flow, &[created, request(&flow), request(&flow), other_zone]);
    let counted: Vec<_> = answer
        .seen
        .iter()
        .map(|seen| (seen.role, seen.group.outcome, seen.times))
        .collect();
    let times = |packets, first_ns, last_ns| Times {
        packets,
        first_ns,
        last_ns,
    };
    assert_eq!(
        counted,
        [
            (Role::Request, Outcome::Tracked, times(3, 10, 12)),
            (Role::RequestElsewhere, Outcome::Created, times(1, 13, 13)),
        ]
    );
}

#[test]
fn an_unreplied_entry_with_a_reply_is_answered() {
    let flow = flow(REPLY, status::SEEN_REPLY);
    let reply = group(
        REPLY,
        NETNS,
        Outcome::Tracked,
        PacketDirection::Reply,
        flow.number,
    );
    let answer = judge(flow, &[reply]);
    assert_eq!((answer.verdict, answer.because), (Verdict::Answered, Some(0)));

    let mut watching = UnrepliedObserver::default();
    let mut record = PacketRecord {
        flags: PacketFlags::BEFORE | PacketFlags::AFTER,
        status_before: status::CONFIRMED,
        status_after: status::CONFIRMED | status::SEEN_REPLY,
        tuple: flow.orig,
        ..PacketRecord::default()
    };
    let mut observe = |record: &PacketRecord| {
        watching.print(
            &mut Vec::new(),
            Observation::Packet(record, Some(&flow), None, Reason::None),
        );
        watching.answered.contains(&flow.number)
    };
    record.status_before |= status::SEEN_REPLY;
    assert!(!observe(&record));
    record.status_before = status::CONFIRMED;
    assert!(observe(&record));
}

#[test]
fn entries_deleted_without_a_reply_are_kept() {
    let flow = flow(REPLY, 0);
    let mut watching = UnrepliedObserver::default();
    let mut record = EntryRecord {
        what: EntryKind::Delete as u8,
        flags: EntryFlags::RETURNED,
        ret: 1,
        status_before: status::CONFIRMED | status::SEEN_REPLY,
        orig: flow.orig,
        reply: flow.reply,
        ..EntryRecord::default()
    };
    let mut observe = |record: &EntryRecord| {
        watching.print(&mut Vec::new(), Observation::Entry(record, Some(&flow), None));
        watching.ended.len()
    };
    assert_eq!(observe(&record), 0);
    record.status_before = status::CONFIRMED;
    assert_eq!(observe(&record), 1);
    // Another delete took it out of the table.
    record.status_before |= status::DYING;
    assert_eq!(observe(&record), 1);
    assert_eq!(watching.ended[0].ended, Some(DeleteKind::Expired));
}

#[test]
fn every_verdict_has_its_own_texts() {
    let mut names = HashSet::new();
    for verdict in Verdict::ALL {
        assert!(names.insert(verdict.name()));
        assert!(names.insert(verdict.meaning()));
        assert!(names.insert(verdict.advice()));
    }
}
