use super::{simulation::Seed, *};
use crate::{
    flow::TupleKey,
    names::{
        proto::{TCP, UDP},
        status,
    },
    timeouts::{Sight, TcpSigns},
};

const S: u64 = 1_000_000_000;

fn key(number: u64) -> TupleKey {
    TupleKey {
        netns: 1,
        zone: 0,
        orig: [number, 0, 0, 0, 0],
    }
}

fn udp(values: &[(u16, u64)]) -> Simulation {
    Simulation::new(TimeoutTrial {
        protocol: Protocol::named("udp").expect("there is udp"),
        values: values.to_vec(),
    })
}

fn defaults() -> Spans {
    Spans::new([(1, 30_000), (2, 120_000)])
}

fn unreplied() -> Sight {
    Sight {
        protonum: UDP,
        ..Sight::default()
    }
}

fn stream() -> Sight {
    Sight {
        status: status::SEEN_REPLY | status::ASSURED,
        ..unreplied()
    }
}

fn packet(number: u64, at_s: u64, left_ms: u64) -> PacketUpdate {
    PacketUpdate {
        key: key(number),
        now_ns: at_s * S,
        left_ms,
        is_reply: false,
        creates: false,
    }
}

fn end(simulation: &Simulation, at_s: u64, real: &[u64]) -> (Totals, Vec<Incident>) {
    let mut incidents = Vec::new();
    let real = real.iter().map(|number| key(*number));
    let totals = simulation.end(at_s * S, real, |incident| incidents.push(incident));
    (totals, incidents)
}

#[test]
fn a_shorter_timeout_cuts_off_pausing_flows_and_expires_silent_ones() {
    let mut simulation = udp(&[(1, 5_000)]);
    let spans = defaults();
    let sight = unreplied();
    // The first has a packet every four seconds, the second pauses for ten, the third has one packet.
    for at_s in [1, 5, 9, 13] {
        simulation.packet(&packet(1, at_s, 30_000), Some((&sight, &spans)));
    }
    for at_s in [1, 11] {
        simulation.packet(&packet(2, at_s, 30_000), Some((&sight, &spans)));
    }
    simulation.packet(&packet(3, 1, 30_000), Some((&sight, &spans)));
    let (totals, incidents) = end(&simulation, 14, &[1, 2, 3]);
    assert_eq!(
        totals,
        Totals {
            now: 3,
            then: 2,
            expired: 1,
            lived_on: 0,
            cut_off: 1,
            unknown: 0
        }
    );
    let late = Incident {
        key: key(2),
        time_ns: 11 * S,
        kind: IncidentKind::CutOff { late_ms: 5000 },
    };
    assert!(incidents.contains(&late), "{incidents:?}");
}

#[test]
fn a_longer_timeout_keeps_expired_entries() {
    let mut simulation = udp(&[(1, 100_000)]);
    simulation.packet(&packet(1, 1, 30_000), Some((&unreplied(), &defaults())));
    simulation.confirmed(key(1));
    simulation.deleted(key(1), key(101), 31 * S, true, 0);
    let (totals, incidents) = end(&simulation, 40, &[]);
    assert_eq!((totals.now, totals.then, totals.lived_on), (0, 1, 1));
    assert_eq!(incidents[0].kind, IncidentKind::LivedOn { left_ms: 61_000 });
    // But not for ever.
    assert_eq!(end(&simulation, 102, &[]).0.then, 0);
}

#[test]
fn an_entry_deleted_before_its_timeout_is_deleted_in_the_simulation() {
    let mut simulation = udp(&[(1, 100_000)]);
    simulation.packet(&packet(1, 1, 30_000), Some((&unreplied(), &defaults())));
    simulation.deleted(key(1), key(101), 5 * S, false, 0);
    assert_eq!(end(&simulation, 6, &[]).0, Totals::default());
}

#[test]
fn a_reply_to_a_simulated_entry_creates_none() {
    let mut simulation = udp(&[(2, 300_000)]);
    let spans = defaults();
    simulation.packet(&packet(1, 1, 120_000), Some((&stream(), &spans)));
    simulation.deleted(key(1), key(101), 121 * S, true, stream().status);
    let answer = PacketUpdate {
        key: key(101),
        creates: true,
        ..packet(101, 130, 30_000)
    };
    simulation.packet(&answer, Some((&unreplied(), &spans)));
    // One entry, the old one, and still a stream.
    let (totals, _) = end(&simulation, 400, &[101]);
    assert_eq!((totals.now, totals.then, totals.lived_on), (1, 1, 0));
    assert_eq!(end(&simulation, 431, &[101]).0.expired, 1);
}

#[test]
fn a_recreated_entry_is_unreplied() {
    let mut simulation = udp(&[(2, 5_000)]);
    let spans = defaults();
    simulation.packet(&packet(1, 1, 120_000), Some((&stream(), &spans)));
    // Ten seconds later: a new entry, with the timeout of unreplied ones.
    simulation.packet(&packet(1, 11, 120_000), Some((&stream(), &spans)));
    assert_eq!(end(&simulation, 40, &[1]).0.then, 1);
    assert_eq!(end(&simulation, 42, &[1]).0.then, 0);
}

#[test]
fn entries_of_the_first_dump_count_from_their_last_packet() {
    let mut simulation = udp(&[(1, 10_000)]);
    let seed = |number, left_ms, otherwise| Seed {
        key: key(number),
        now_ns: 100 * S,
        left_ms,
        otherwise,
    };
    // Silent for 5 and for 15 seconds; a policy governs the third.
    simulation.seed(&seed(1, 25_000, Some((30_000, 10_000))));
    simulation.seed(&seed(2, 15_000, Some((30_000, 10_000))));
    simulation.seed(&seed(3, 15_000, None));
    let (totals, _) = end(&simulation, 101, &[1, 2, 3]);
    assert_eq!((totals.now, totals.then, totals.expired), (3, 2, 1));
}

#[test]
fn tcp_is_picked_up_in_its_middle() {
    let mut simulation = Simulation::new(TimeoutTrial {
        protocol: Protocol::named("tcp").expect("there is tcp"),
        values: vec![(3, 60_000)],
    });
    let spans = Spans::new([(3, 432_000_000), (10, 300_000), (11, 300_000)]);
    let open = Sight {
        protonum: TCP,
        state: 3,
        status: status::SEEN_REPLY | status::ASSURED,
        tcp: TcpSigns::default(),
    };
    simulation.packet(&packet(1, 1, 432_000_000), Some((&open, &spans)));
    simulation.packet(&packet(1, 100, 432_000_000), Some((&open, &spans)));
    let (totals, _) = end(&simulation, 101, &[1]);
    assert_eq!((totals.cut_off, totals.then), (1, 1));
    // A longer value would be reduced to that of unacknowledged data; this one is not longer.
    assert_eq!(end(&simulation, 161, &[1]).0.then, 0);
}

#[test]
fn entries_without_a_record_are_counted_as_unknown() {
    let simulation = udp(&[(1, 1_000)]);
    let (totals, _) = end(&simulation, 1, &[7]);
    assert_eq!((totals.now, totals.then, totals.unknown), (1, 1, 1));
}

#[test]
fn an_unconfirmed_entry_is_unconfirmed_in_the_simulation() {
    let mut simulation = udp(&[(1, 100_000)]);
    let first = PacketUpdate {
        creates: true,
        ..packet(1, 1, 30_000)
    };
    simulation.packet(&first, Some((&unreplied(), &defaults())));
    assert_eq!(end(&simulation, 2, &[]).0, Totals::default());
    simulation.never_confirmed(key(1));
    simulation.confirmed(key(1));
    assert_eq!(end(&simulation, 2, &[]).0, Totals::default());
}

#[test]
fn an_expired_entry_counts_as_expired_before_it_is_reaped() {
    let mut simulation = udp(&[(1, 100_000)]);
    simulation.packet(&packet(1, 1, 30_000), Some((&unreplied(), &defaults())));
    assert_eq!(end(&simulation, 40, &[]).0.lived_on, 1);
}

#[test]
fn entries_expired_in_the_simulation_too_are_forgotten() {
    let mut simulation = udp(&[(1, 40_000)]);
    let spans = defaults();
    // A flow a second, each expired after thirty seconds, with ten more in the simulation.
    for second in 1..20_000 {
        simulation.packet(&packet(second, second, 30_000), Some((&unreplied(), &spans)));
        simulation.confirmed(key(second));
        if second > 30 {
            let expired = second - 30;
            simulation.deleted(key(expired), key(expired + 1_000_000), second * S, true, 0);
        }
    }
    assert!(simulation.known() < 5_000, "{} are known", simulation.known());
    // Thirty real ones, and ten more in the simulation.
    let real: Vec<u64> = (19_970..20_000).collect();
    let (totals, _) = end(&simulation, 19_999, &real);
    assert_eq!((totals.now, totals.then, totals.unknown), (30, 40, 0));
}
