//! The sources of packets' timeouts, from policies and defaults.

use rsct_common::{
    Tuple,
    record::{POLICY_VALUES, PacketFlags, PacketRecord, PolicyRecord},
};

use super::*;
use crate::{
    names::proto::{TCP, UDP},
    timeouts::{Defaults, GENERIC, Spans},
};

const HZ: u32 = 250;
const NETNS: u32 = 7;
const SECOND: u64 = 1_000_000_000;
const REPLIED: u32 = status::CONFIRMED | status::SEEN_REPLY;

fn new() -> KnownTimeouts {
    KnownTimeouts::new(Hz::new(HZ).unwrap())
}

/// Timeouts of UDP, TCP and of protocols without a handler, in seconds.
fn defaults() -> Defaults {
    let spans =
        |seconds: &[(u16, u64)]| Spans::new(seconds.iter().map(|(state, seconds)| (*state, seconds * 1000)));
    Defaults::from([
        (UDP, spans(&[(1, 30), (2, 120)])),
        (
            TCP,
            spans(&[(1, 120), (3, 432_000), (8, 10), (10, 300), (11, 300)]),
        ),
        (GENERIC, spans(&[(1, 600)])),
    ])
}

/// A packet that refreshed its confirmed entry to this many seconds.
fn refreshed(protonum: u8, seconds: u32) -> PacketRecord {
    PacketRecord {
        flags: PacketFlags::BEFORE | PacketFlags::AFTER | PacketFlags::REFRESHED,
        netns: NETNS,
        status_before: REPLIED,
        status_after: REPLIED,
        now_jiffies: 1000,
        timeout_before_jiffies: 1000 + seconds * HZ,
        timeout_after_jiffies: 1000 + seconds * HZ,
        refresh_jiffies: seconds * HZ,
        tuple: Tuple {
            protonum,
            ..Tuple::default()
        }
        .to_words(),
        ..PacketRecord::default()
    }
}

/// The same without a record of the refresh, when this many milliseconds are left.
fn left(protonum: u8, ms: u32) -> PacketRecord {
    PacketRecord {
        flags: PacketFlags::BEFORE | PacketFlags::AFTER,
        timeout_before_jiffies: 0,
        timeout_after_jiffies: 1000 + ms * HZ / 1000,
        refresh_jiffies: 1,
        ..refreshed(protonum, 0)
    }
}

/// A policy of UDP with this address and these seconds.
fn policy(address: u64, seconds: [u32; 2]) -> PolicyRecord {
    let mut values = [0; POLICY_VALUES];
    values[..2].copy_from_slice(&seconds.map(|seconds| seconds * HZ));
    PolicyRecord {
        netns: NETNS,
        l3num: 2,
        l4proto: UDP,
        policy: address,
        values,
        ..zerocopy::FromZeros::new_zeroed()
    }
}

fn object(name: &str, seconds: [u32; 2]) -> TimeoutObject {
    TimeoutObject {
        name: name.to_owned(),
        l3proto: 2,
        l4proto: UDP,
        seconds: vec![(1, seconds[0]), (2, seconds[1])],
        of_nftables: false,
    }
}

/// The state and the milliseconds of a packet's timeout.
fn found(
    known: &mut KnownTimeouts,
    record: &PacketRecord,
    policy: PolicyOf,
    now_ns: u64,
) -> Option<(&'static str, Option<u64>)> {
    let found = known.find_source(record, policy, now_ns).unwrap();
    let source = known.source(found);
    source
        .governing
        .map(|governing| (governing.state.name, source.value_ms))
}

#[test]
fn only_packets_that_set_a_timeout_have_a_source() {
    let mut known = new();
    known.set_defaults(NETNS, Some(&defaults()), 0);
    let set = refreshed(UDP, 30);
    let same = PacketRecord {
        flags: PacketFlags::BEFORE | PacketFlags::AFTER,
        ..set
    };
    for (record, sets) in [
        (set, true),
        // Without a refresh it keeps its timeout.
        (same, false),
        (
            PacketRecord {
                timeout_before_jiffies: 1,
                ..same
            },
            true,
        ),
        // The first packet of an entry.
        (
            PacketRecord {
                flags: PacketFlags::AFTER,
                ..same
            },
            true,
        ),
        (
            PacketRecord {
                flags: set.flags | PacketFlags::SEEN_ALREADY,
                ..set
            },
            false,
        ),
        (
            PacketRecord {
                flags: PacketFlags::BEFORE | PacketFlags::REFRESHED,
                ..set
            },
            false,
        ),
    ] {
        let source = known.find_source(&record, PolicyOf::NONE, 0);
        assert_eq!(source.is_some(), sets, "{:#x}", record.flags);
    }
}

#[test]
fn a_namespace_whose_defaults_are_unknown_is_wanted_once() {
    let mut known = new();
    let record = refreshed(UDP, 30);
    assert_eq!(
        found(&mut known, &record, PolicyOf::NONE, SECOND),
        Some(("unreplied", None))
    );
    assert_eq!(known.wanted(), Some(Want::Defaults(NETNS)));
    assert_eq!(known.wanted(), None);
    known.set_defaults(NETNS, Some(&defaults()), SECOND);
    assert_eq!(
        found(&mut known, &record, PolicyOf::NONE, SECOND),
        Some(("unreplied", Some(30_000)))
    );
    assert_eq!(known.wanted(), None);
}

#[test]
fn another_value_reads_the_defaults_again_but_only_once_a_second() {
    let mut known = new();
    known.set_defaults(NETNS, Some(&defaults()), SECOND);
    let other = refreshed(UDP, 45);
    assert_eq!(found(&mut known, &other, PolicyOf::NONE, 2 * SECOND - 1), None);
    assert_eq!(known.wanted(), None);
    assert_eq!(found(&mut known, &other, PolicyOf::NONE, 2 * SECOND), None);
    assert_eq!(known.wanted(), Some(Want::Defaults(NETNS)));
    assert_eq!(found(&mut known, &other, PolicyOf::NONE, 3 * SECOND - 1), None);
    assert_eq!(known.wanted(), None);
    let mut changed = defaults();
    changed.insert(UDP, Spans::new([(1, 45_000), (2, 120_000)]));
    known.set_defaults(NETNS, Some(&changed), 3 * SECOND);
    assert_eq!(
        found(&mut known, &other, PolicyOf::NONE, 3 * SECOND),
        Some(("unreplied", Some(45_000)))
    );
}

#[test]
fn a_changed_default_forgets_the_last_packets_source() {
    let mut known = new();
    known.set_defaults(NETNS, Some(&defaults()), 0);
    let record = refreshed(UDP, 30);
    assert!(found(&mut known, &record, PolicyOf::NONE, 0).is_some());
    let mut changed = defaults();
    changed.insert(UDP, Spans::new([(1, 45_000), (2, 120_000)]));
    known.set_defaults(NETNS, Some(&changed), 0);
    assert_eq!(found(&mut known, &record, PolicyOf::NONE, 0), None);
}

#[test]
fn an_entry_has_the_only_default_with_its_value() {
    let mut known = new();
    known.set_defaults(NETNS, Some(&defaults()), 0);
    for (record, source) in [
        // The state's own timeout, then another state's.
        (refreshed(UDP, 30), Some(("unreplied", Some(30_000)))),
        (refreshed(UDP, 120), Some(("replied", Some(120_000)))),
        // Two of TCP have 300 s.
        (refreshed(TCP, 300), None),
        (refreshed(TCP, 10), Some(("close", Some(10_000)))),
        // A protocol without a handler.
        (refreshed(50, 600), Some(("timeout", Some(600_000)))),
        // Up to 100 ms passed between the refresh and the record.
        (left(UDP, 30_000), Some(("unreplied", Some(30_000)))),
        (left(UDP, 29_900), Some(("unreplied", Some(30_000)))),
        (left(UDP, 29_896), None),
        (left(UDP, 30_004), None),
    ] {
        assert_eq!(
            found(&mut known, &record, PolicyOf::NONE, 0),
            source,
            "{record:?}"
        );
    }
}

#[test]
fn an_unconfirmed_entry_has_a_span() {
    let mut known = new();
    known.set_defaults(NETNS, Some(&defaults()), 0);
    let record = PacketRecord {
        flags: PacketFlags::AFTER,
        status_after: 0,
        timeout_after_jiffies: 30 * HZ,
        ..refreshed(UDP, 0)
    };
    assert_eq!(
        found(&mut known, &record, PolicyOf::NONE, 0),
        Some(("unreplied", Some(30_000)))
    );
}

#[test]
fn packets_that_differ_have_their_own_source() {
    let mut known = new();
    known.set_defaults(NETNS, Some(&defaults()), 0);
    let other_defaults = Defaults::from([(UDP, Spans::new([(1, 31_000)])), (GENERIC, Spans::default())]);
    known.set_defaults(8, Some(&other_defaults), 0);
    let first = refreshed(UDP, 30);
    let tcp = |seconds| PacketRecord {
        state_after: 3,
        ..refreshed(TCP, seconds)
    };
    let flagged = |flags: u16| PacketRecord {
        flags: tcp(300).flags | flags,
        ..tcp(300)
    };
    let reset = PacketRecord {
        tcp_flags: 4,
        flags: refreshed(TCP, 10).flags | PacketFlags::HEADER,
        ..tcp(10)
    };
    let unreplied = Some(("unreplied", Some(30_000)));
    for (record, source) in [
        (first, unreplied),
        (PacketRecord { netns: 8, ..first }, None),
        (first, unreplied),
        // The same bit differs in both.
        (
            PacketRecord {
                netns: NETNS ^ status::SEEN_REPLY,
                status_after: first.status_after ^ status::SEEN_REPLY,
                ..first
            },
            Some(("unreplied", None)),
        ),
        (first, unreplied),
        (refreshed(UDP, 120), Some(("replied", Some(120_000)))),
        (first, unreplied),
        (left(UDP, 29_960), unreplied),
        (refreshed(UDP, 29), None),
        (tcp(432_000), Some(("established", Some(432_000_000)))),
        (
            flagged(PacketFlags::UNACKNOWLEDGED),
            Some(("unacknowledged", Some(300_000))),
        ),
        (
            flagged(PacketFlags::RETRANSMITTED),
            Some(("retrans", Some(300_000))),
        ),
        (
            flagged(PacketFlags::ZERO_WINDOW),
            Some(("retrans", Some(300_000))),
        ),
        (tcp(300), None),
        (reset, Some(("close", Some(10_000)))),
    ] {
        assert_eq!(
            found(&mut known, &record, PolicyOf::NONE, 0),
            source,
            "{record:?}"
        );
    }
}

#[test]
fn a_sight_has_the_trackers_conditions() {
    let with = |flags: u16, tcp_flags: u8| {
        sight(&PacketRecord {
            flags,
            tcp_flags,
            state_after: 3,
            status_after: REPLIED,
            ..refreshed(TCP, 0)
        })
    };
    let plain = with(0, 0);
    assert_eq!((plain.protonum, plain.state, plain.status), (TCP, 3, REPLIED));
    assert_eq!(plain.tcp, Default::default());
    assert!(with(PacketFlags::UNACKNOWLEDGED, 0).tcp.unacknowledged);
    assert!(with(PacketFlags::RETRANSMITTED, 0).tcp.retransmitted);
    assert!(with(PacketFlags::ZERO_WINDOW, 0).tcp.zero_window);
    assert!(with(PacketFlags::HEADER | PacketFlags::BEFORE, 4).tcp.reset);
    // Without a header the flags are none of TCP's.
    assert!(!with(0, 4).tcp.reset);
    assert!(!with(PacketFlags::HEADER | PacketFlags::BEFORE, !4).tcp.reset);
}

#[test]
fn a_policy_has_the_names_of_objects_with_its_values() {
    let mut known = new();
    let number = known.policy(&policy(0x10, [20, 300]), 0);
    assert_eq!(known.wanted(), Some(Want::Objects(NETNS)));
    let of = PolicyOf::numbered(number);
    let record = refreshed(UDP, 20);
    assert_eq!(
        found(&mut known, &record, of, 0),
        Some(("unreplied", Some(20_000)))
    );
    let objects = [
        object("a", [20, 300]),
        object("other", [21, 300]),
        TimeoutObject {
            l4proto: TCP,
            ..object("tcp", [20, 300])
        },
        TimeoutObject {
            l3proto: 10,
            ..object("ipv6", [20, 300])
        },
        object("b", [20, 300]),
    ];
    // Objects of another namespace name nothing.
    known.set_objects(NETNS + 1, Some(&objects), 0);
    assert_eq!(known.names(of), Some(&[][..]));
    known.set_objects(NETNS, None, 0);
    assert_eq!(known.names(of), Some(&[][..]));
    known.set_objects(NETNS, Some(&objects), 0);
    assert_eq!(known.names(of), Some(&["a".to_owned(), "b".to_owned()][..]));
    let source = known.find_source(&record, of, 0).unwrap();
    assert!(matches!(known.source(source).setter, Setter::Policy(names) if names.len() == 2));
    assert_eq!(known.names(PolicyOf::NONE), None);
    // The same address is the same policy.
    assert_eq!(known.policy(&policy(0x10, [20, 300]), 0), number);
    assert_eq!(known.wanted(), None);
    assert_ne!(known.policy(&policy(0x11, [20, 300]), 0), number);
}

#[test]
fn a_policy_of_nftables_has_no_cttimeout_name() {
    let mut known = new();
    let of = PolicyOf::numbered(known.policy(&policy(0x10, [20, 300]), 0));
    let nft = |name| TimeoutObject {
        of_nftables: true,
        ..object(name, [20, 300])
    };
    known.set_objects(NETNS, Some(&[nft("n"), object("different", [1, 2])]), 0);
    assert_eq!(known.names(of), None);
    let source = known.find_source(&refreshed(UDP, 20), of, 0).unwrap();
    assert_eq!(known.source(source).setter, Setter::Nftables(&["n".to_owned()]));
    // A policy with the same values may be either.
    let mut known = new();
    let of = PolicyOf::numbered(known.policy(&policy(0x10, [20, 300]), 0));
    known.set_objects(NETNS, Some(&[nft("n"), object("p", [20, 300])]), 0);
    assert_eq!(known.names(of).map(<[String]>::len), Some(2));
}

#[test]
fn a_replaced_policy_is_read_again_and_a_missing_one_has_ended() {
    let mut known = new();
    known.set_defaults(NETNS, Some(&defaults()), 0);
    let of = PolicyOf::numbered(known.policy(&policy(0x10, [20, 300]), 0));
    known.set_objects(NETNS, Some(&[object("a", [20, 300])]), 0);
    let _ = known.wanted();
    let other = refreshed(UDP, 25);
    assert_eq!(found(&mut known, &other, of, SECOND - 1), None);
    assert_eq!(known.wanted(), None);
    assert_eq!(found(&mut known, &other, of, SECOND), None);
    assert_eq!(known.wanted(), Some(Want::Objects(NETNS)));
    assert_eq!(found(&mut known, &other, of, 2 * SECOND - 1), None);
    assert_eq!(known.wanted(), None);
    known.set_objects(NETNS, Some(&[object("a", [25, 300])]), SECOND);
    assert_eq!(
        found(&mut known, &other, of, SECOND),
        Some(("unreplied", Some(25_000)))
    );
    // An object with its name for another protocol is not it.
    let tcp = TimeoutObject {
        l4proto: TCP,
        ..object("a", [25, 300])
    };
    known.set_objects(NETNS, Some(&[tcp, object("b", [25, 300])]), SECOND);
    assert_eq!(
        found(&mut known, &refreshed(UDP, 30), of, SECOND),
        Some(("unreplied", Some(30_000)))
    );
    let source = known.find_source(&refreshed(UDP, 30), of, SECOND).unwrap();
    assert_eq!(known.source(source).setter, Setter::Defaults);
}

#[test]
fn a_policy_replaced_at_its_address_has_the_new_values() {
    let mut known = new();
    let of = PolicyOf::numbered(known.policy(&policy(0x10, [20, 300]), 0));
    let record = refreshed(UDP, 20);
    assert!(found(&mut known, &record, of, 0).is_some());
    known.policy(&policy(0x10, [40, 300]), 0);
    assert_eq!(found(&mut known, &record, of, 0), None);
    assert_eq!(
        found(&mut known, &refreshed(UDP, 40), of, 0),
        Some(("unreplied", Some(40_000)))
    );
}

#[test]
fn a_record_ends_one_policy_or_all_of_a_namespace() {
    let mut known = new();
    let elsewhere = PolicyRecord {
        netns: NETNS + 1,
        ..policy(0x30, [20, 300])
    };
    let numbers = [
        policy(0x10, [20, 300]),
        policy(0x20, [20, 300]),
        policy(0x25, [20, 300]),
        elsewhere,
    ]
    .map(|record| known.policy(&record, 0));
    assert_eq!(known.ended(&policy(0x20, [0, 0])), [numbers[1]]);
    let mut ended = known.ended(&policy(0, [0, 0]));
    ended.sort_unstable();
    assert_eq!(ended, [numbers[0], numbers[2]]);
    known.set_defaults(NETNS, Some(&defaults()), 0);
    let of = |number| PolicyOf::numbered(number);
    for (number, setter) in [(numbers[1], Setter::Defaults), (numbers[3], Setter::Policy(&[]))] {
        let found = known.find_source(&refreshed(UDP, 30), of(number), 0).unwrap();
        assert_eq!(known.source(found).setter, setter);
    }
    // Its address is free for another policy.
    assert!(!numbers.contains(&known.policy(&policy(0x20, [20, 300]), 0)));
}

#[test]
fn setters_of_unknown_policies_are_named() {
    let mut known = new();
    known.set_defaults(NETNS, Some(&defaults()), 0);
    for (policy, setter) in [
        (PolicyOf::NONE, Setter::Defaults),
        (PolicyOf::LOST, Setter::LostPolicy),
        (PolicyOf::UNKNOWN, Setter::Unknown),
        (PolicyOf::numbered(5), Setter::Defaults),
    ] {
        let found = known.find_source(&refreshed(UDP, 30), policy, 0).unwrap();
        let source = known.source(found);
        assert_eq!(source.setter, setter);
        let is_known = policy == PolicyOf::NONE;
        assert_eq!(source.value_ms, is_known.then_some(30_000));
    }
}

#[test]
fn an_entry_of_a_listing_has_at_most_its_timeout_left() {
    let mut known = new();
    known.set_defaults(NETNS, Some(&defaults()), 0);
    let sight = |status| Sight {
        protonum: UDP,
        status,
        ..Sight::default()
    };
    let none = PolicyOf::NONE;
    for (status, policy, left_s, setter) in [
        (REPLIED, none, 30, Setter::Defaults),
        (REPLIED, none, 0, Setter::Defaults),
        // Only the other state's timeout is that long.
        (REPLIED, none, 31, Setter::Defaults),
        (REPLIED, none, 121, Setter::Netlink),
        (REPLIED | status::FIXED_TIMEOUT, none, 30, Setter::Fixed),
        (REPLIED, PolicyOf::UNKNOWN, 30, Setter::Unknown),
    ] {
        let source = known.source_of_entry(NETNS, sight(status), policy, left_s, 0);
        assert_eq!(source.setter, setter, "{left_s}");
    }
    let source = known.source_of_entry(NETNS, sight(REPLIED), none, 1, 0);
    assert_eq!(source.value_ms, Some(30_000));
}
