//! Lines of the default layout, of `--wide` and of `--absolute`.

mod given;

use rsct_common::record::EntryKind;

use super::*;
use crate::{
    causes::{Cause, invalid::InvalidCause, lost::LostCause},
    flow::FlowTable,
    kernel::{hz::Hz, interfaces::Names},
    observe::Reason,
    render::color::Palette,
};
use given::*;

fn text(style: Style, palette: Palette) -> TraceText {
    TraceText::new(Look {
        ticks: Hz::new(250).unwrap(),
        start_ns: 0,
        show_netns: false,
        style,
        palette,
        names: Names::default(),
    })
}

#[test]
fn lines_of_each_layout() {
    let cases = [
        (
            syn(),
            [
                "  0.073990 in  if2      1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  created SYN_SENT 120s [S] seq 0",
                "   0.073990    1 PRE_ROUTING  orig      1  tcp 192.168.34.12:50488 > 192.168.34.11:8080            24606  created SYN_SENT UNREPLIED with 120s, nf_conntrack_tcp_timeout_syn_sent [SYN seq 0 (1951407557) ack 0 win 64240] in if2",
                "  0.073990 in  if2      1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  created SYN_SENT 120s [S] seq 1951407557",
            ],
        ),
        (
            entry(EntryKind::Insert),
            [
                "  0.073990 -   -        1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  inserted",
                "   0.073990    1 hash_insert  -         1  tcp 192.168.34.12:50488 > 192.168.34.11:8080                -  inserted",
                "  0.073990 -   -        1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  inserted",
            ],
        ),
        (
            entry(EntryKind::Confirm),
            [
                "  0.073990 -   -        1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  confirmed 119s",
                "   0.073990    1 confirm      -         1  tcp 192.168.34.12:50488 > 192.168.34.11:8080                -  confirmed SYN_SENT, 119s",
                "  0.073990 -   -        1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  confirmed 119s",
            ],
        ),
        (
            syn_ack(),
            [
                "  0.073990 out if2      1 tcp 192.168.34.12:50488 < 192.168.34.11:8080  → SYN_RECV +SEEN_REPLY 60s [S.] seq 0 ack 1",
                "   0.073990    1 LOCAL_OUT    reply     1  tcp 192.168.34.12:50488 > 192.168.34.11:8080             9344  ESTABLISHED, state SYN_SENT → SYN_RECV +SEEN_REPLY, 119s → 60s, nf_conntrack_tcp_timeout_syn_recv [SYN,ACK seq 0 (3000000000) ack 1 (1951407558) win 65160] out if2 from server[136]",
                "  0.073990 out if2      1 tcp 192.168.34.12:50488 < 192.168.34.11:8080  → SYN_RECV +SEEN_REPLY 60s [S.] seq 3000000000 ack 1951407558",
            ],
        ),
        (
            ack(),
            [
                "  0.073990 in  if2      1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  → ESTABLISHED +ASSURED 432000s [.] seq 1 ack 1",
                "   0.073990    1 PRE_ROUTING  orig      1  tcp 192.168.34.12:50488 > 192.168.34.11:8080             9344  ESTABLISHED, state SYN_RECV → ESTABLISHED +ASSURED, 59s → 432000s, nf_conntrack_tcp_timeout_established [ACK seq 1 (1951407558) ack 1 (3000000001) win 502] in if2",
                "  0.073990 in  if2      1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  → ESTABLISHED +ASSURED 432000s [.] seq 1951407558 ack 3000000001",
            ],
        ),
        (
            unacknowledged(),
            [
                "  0.073990 in  if2      1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  → 300s unacknowledged [P.] seq 1 ack 1",
                "   0.073990    1 PRE_ROUTING  orig      1  tcp 192.168.34.12:50488 > 192.168.34.11:8080             9344  ESTABLISHED, 431999s → 300s, nf_conntrack_tcp_timeout_unacknowledged: data unacknowledged [PSH,ACK seq 1 (1951407558) ack 1 (3000000001) win 502] in if2",
                "  0.073990 in  if2      1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  → 300s unacknowledged [P.] seq 1951407558 ack 3000000001",
            ],
        ),
        (
            out_of_window(),
            [
                "  0.073990 in  if2      1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  INVALID seq_over 3000 bytes [.] seq 70001 ack 1",
                "   0.073990    1 PRE_ROUTING  orig      1  tcp 192.168.34.12:50488 > 192.168.34.11:8080             9344  INVALID for its entry ESTABLISHED [ACK seq 70001 (1951477558) ack 1 (3000000001) win 502] in if2; seq_over: SEQ is over upper bound %u, 1951477558 misses the bound 1951474558 by 3000 bytes",
                "  0.073990 in  if2      1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  INVALID seq_over 3000 bytes [.] seq 1951477558 ack 3000000001",
            ],
        ),
        (
            deleted(),
            [
                "  0.073990 -   -        1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  deleted by conntrack[208], 300s left",
                "   0.073990    1 delete       -         1  tcp 192.168.34.12:50488 > 192.168.34.11:8080            41171  deleted over netlink, 300s left ESTABLISHED by conntrack[208]; netlink (ctnetlink_del_conntrack)",
                "  0.073990 -   -        1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  deleted by conntrack[208], 300s left",
            ],
        ),
        (
            entry(EntryKind::Destroy),
            [
                "  0.073990 -   -        1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  destroyed after 0.1s",
                "   0.073990    1 destroy      -         1  tcp 192.168.34.12:50488 > 192.168.34.11:8080                -  destroyed after 0.1s",
                "  0.073990 -   -        1 tcp 192.168.34.12:50488 > 192.168.34.11:8080  destroyed after 0.1s",
            ],
        ),
        (
            picked_up(),
            [
                "  0.073990 in  if2      2 tcp 192.168.34.12:50488 > 192.168.34.11:8080  → 432000s [.] seq 0 ack abs 3000000001 zone 5",
                "   0.073990    1 PRE_ROUTING  orig      2  tcp 192.168.34.12:50488 > 192.168.34.11:8080             9344  ESTABLISHED, 431999s → 432000s, nf_conntrack_tcp_timeout_established [ACK seq 0 (1951407558) ack abs 3000000001 win 502] in if2 zone 5",
                "  0.073990 in  if2      2 tcp 192.168.34.12:50488 > 192.168.34.11:8080  → 432000s [.] seq 1951407558 ack 3000000001 zone 5",
            ],
        ),
        (
            stray(),
            [
                "  0.073990 in  if2      - tcp 192.168.34.12:50488 > 192.168.34.11:8080  INVALID tcp_not_new [R.] seq abs 1951407557",
                "   0.073990    1 PRE_ROUTING  -         -  tcp 192.168.34.12:50488 > 192.168.34.11:8080             9344  INVALID [RST,ACK seq abs 1951407557 ack abs 77 win 502] in if2; tcp_not_new",
                "  0.073990 in  if2      - tcp 192.168.34.12:50488 > 192.168.34.11:8080  INVALID tcp_not_new [R.] seq 1951407557",
            ],
        ),
        (
            udp(),
            [
                "  0.073990 out -        3 udp 192.168.34.12:47719 > 192.168.34.11:8888  created 30s udp_timeout from dig[1234]",
                "   0.073990    1 LOCAL_OUT    orig      3  udp 192.168.34.12:47719 > 192.168.34.11:8888           643563  created UNREPLIED with 30s, nf_conntrack_udp_timeout from dig[1234]",
                "  0.073990 out -        3 udp 192.168.34.12:47719 > 192.168.34.11:8888  created 30s udp_timeout from dig[1234]",
            ],
        ),
        (
            natted(),
            [
                "  0.073990 -   -        - tcp 192.168.34.12:50488 > 203.0.113.80:80     inserted, DNAT to 192.168.34.11:8080",
                "   0.073990    1 hash_insert  -         -  tcp 192.168.34.12:50488 > 203.0.113.80:80                   -  inserted, replies 192.168.34.11:8080 > 192.168.34.12:50488",
                "  0.073990 -   -        - tcp 192.168.34.12:50488 > 203.0.113.80:80     inserted, DNAT to 192.168.34.11:8080",
            ],
        ),
        (
            ping(),
            [
                "  0.073990 in  if2      4 icmp 192.168.34.12 < 192.168.34.11 type 8 id 42  ESTABLISHED +SEEN_REPLY 30s icmp_timeout",
                "   0.073990    1 PRE_ROUTING  reply     4  icmp 192.168.34.12 > 192.168.34.11 type 8 code 0 id 42      9344  ESTABLISHED +SEEN_REPLY, 29s → 30s, nf_conntrack_icmp_timeout in if2",
                "  0.073990 in  if2      4 icmp 192.168.34.12 < 192.168.34.11 type 8 id 42  ESTABLISHED +SEEN_REPLY 30s icmp_timeout",
            ],
        ),
    ];
    let styles = [
        Style::default(),
        Style {
            wide: true,
            absolute: false,
        },
        Style {
            wide: false,
            absolute: true,
        },
    ];
    for (column, style) in styles.into_iter().enumerate() {
        let mut table = FlowTable::new(250);
        let mut text = text(style, Palette::PLAIN);
        for (given, expected) in &cases {
            assert_eq!(given.line(&mut text, &mut table), expected[column]);
        }
    }
}

#[test]
fn a_rejected_packet_has_the_direction_of_its_headers() {
    let invalid = Cause::Invalid(InvalidCause::TcpInvalidState);
    for (wide, given, expected) in [
        (
            false,
            rejected_reply(),
            "192.168.34.12:50488 - 192.168.34.11:8080  INVALID [.] seq abs 3000000001",
        ),
        (
            false,
            rejected_reply().because(invalid, None, &[], None).reversed(),
            "192.168.34.12:50488 < 192.168.34.11:8080  INVALID tcp_invalid_state [.] seq 1 ack 1",
        ),
        (true, rejected_reply(), "PRE_ROUTING  -         1  tcp"),
        (
            true,
            rejected_reply().because(invalid, None, &[], None).reversed(),
            "PRE_ROUTING  reply     1  tcp",
        ),
    ] {
        let mut table = FlowTable::new(250);
        let style = Style {
            wide,
            absolute: false,
        };
        let mut text = text(style, Palette::PLAIN);
        for packet in [syn(), syn_ack(), ack()] {
            packet.line(&mut text, &mut table);
        }
        let line = given.line(&mut text, &mut table);
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn lines_fit_120_columns() {
    let mut table = FlowTable::new(250);
    let mut text = text(Style::default(), Palette::PLAIN);
    for given in every_kind() {
        let line = given.line(&mut text, &mut table);
        assert!(line.chars().count() <= 120, "{}: {line}", line.chars().count());
    }
    let mut header = Vec::new();
    text.header(&mut header);
    assert!(header.len() <= 121);
}

#[test]
fn prose_is_cut_off_at_120_columns() {
    let line = |given: Given| {
        given.line(
            &mut text(Style::default(), Palette::PLAIN),
            &mut FlowTable::new(250),
        )
    };
    let cut = line(alone(Cause::Lost(LostCause::Overrun), None));
    assert_eq!(cut.chars().count(), 120);
    assert!(
        cut.contains("  lost overrun: the listener's receive buffer") && cut.ends_with('…'),
        "{cut}"
    );
    // Too few columns are left for any.
    let words = "packet (index %d) in dir %d ignored, state %s";
    let said = Cause::Invalid(InvalidCause::TcpInvalidState);
    let full = line(out_of_window().because(said, Some(words), &[], None));
    assert!(
        full.ends_with("INVALID tcp_invalid_state [.] seq abs 1951477558"),
        "{full}"
    );
    let short = line(
        rejected()
            .with(|record| record.flags = 0)
            .because(said, Some("bad"), &[], None),
    );
    assert!(short.ends_with("  INVALID tcp_invalid_state; bad"), "{short}");
}

#[test]
fn a_cause_is_unknown_before_its_hooks_are_attached() {
    let What::Packet(record) = stray().with(|record| record.flags = 0).what else {
        unreachable!()
    };
    for (wide, expected) in [
        (false, "INVALID; cause hooks not attached yet\n"),
        (
            true,
            "INVALID in if2; cause unknown: the hooks that report causes are not attached yet\n",
        ),
    ] {
        let style = Style {
            wide,
            absolute: false,
        };
        let mut out = Vec::new();
        text(style, Palette::PLAIN).line(&mut out, Observation::Packet(&record, None, None, Reason::NotYet));
        let line = String::from_utf8(out).unwrap();
        assert!(line.ends_with(expected), "{line}");
    }
}

#[test]
fn the_kind_of_event_has_a_colour() {
    let palette = Palette {
        good: b"\x1b[32m",
        confirmed: b"\x1b[36m",
        refreshed: b"\x1b[94m",
        ended: b"\x1b[33m",
        bad: b"\x1b[31m",
        reset: b"\x1b[0m",
        ..Palette::PLAIN
    };
    for (given, expected) in [
        (syn(), "\x1b[32mcreated\x1b[0m SYN_SENT"),
        (entry(EntryKind::Confirm), "\x1b[36mconfirmed\x1b[0m 119s"),
        (entry(EntryKind::Refresh), "\x1b[94mrefreshed\x1b[0m to 0s"),
        (established(), "\x1b[94m→\x1b[0m 432000s"),
        (
            stream(),
            "\x1b[94mESTABLISHED\x1b[0m +\x1b[32mASSURED\x1b[0m 120s",
        ),
        (entry(EntryKind::Delete), "\x1b[33mdeleted\x1b[0m early"),
        (entry(EntryKind::Destroy), "\x1b[33mdestroyed\x1b[0m after"),
        (rejected(), "\x1b[31mINVALID\x1b[0m"),
    ] {
        for wide in [false, true] {
            let style = Style {
                wide,
                absolute: false,
            };
            let line = given.line(&mut text(style, palette), &mut FlowTable::new(250));
            if !wide {
                assert!(line.contains(expected), "{line:?}");
                let plain = given.line(&mut text(style, Palette::PLAIN), &mut FlowTable::new(250));
                assert_eq!(width(line.as_bytes()), plain.chars().count());
            } else if !expected.contains("[94m") {
                let painted = expected.split_inclusive("[0m").next().unwrap_or_default();
                assert!(line.contains(painted), "{line:?}");
            }
        }
    }
}
