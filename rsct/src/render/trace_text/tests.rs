//! Lines of the default layout, of `--wide` and of `--absolute`.

use rsct_common::{
    Tuple,
    record::{
        CauseRecord, EntryFlags, EntryKind, EntryRecord, IcmpError, PacketFlags, PacketRecord, TEXT_BYTES,
    },
};
use zerocopy::FromZeros as _;

use super::*;
use crate::{
    causes::{
        Cause, Why, delete::DeleteCause, drop::DropCause, insert::InsertCause, invalid::InvalidCause,
        lost::LostCause, window::Miss,
    },
    flow::FlowTable,
    kernel::{hz::Hz, interfaces::Names},
    names::{proto, status},
    observe::Reason,
    render::color::Palette,
    timeouts::{Governing, Protocol, Reduction, Setter, TimeoutSource},
};

const NOW: u32 = 1000;
const CLIENT: [u8; 4] = [192, 168, 34, 12];
const SERVER: [u8; 4] = [192, 168, 34, 11];
const CONFIRMED: u32 = status::CONFIRMED;
const SEEN: u32 = CONFIRMED | status::SEEN_REPLY;
const CLIENT_SEQ: u32 = 1_951_407_557;
const SERVER_SEQ: u32 = 3_000_000_000;

/// An observation that owns its parts.
struct Given {
    what: What,
    source: Option<TimeoutSource<'static>>,
    why: Option<Why>,
}

enum What {
    Packet(PacketRecord),
    Entry(EntryRecord),
    Cause,
}

impl Given {
    fn of(mut self, protocol: &str, state: &str, reduction: Option<Reduction>) -> Self {
        let state = Protocol::named(protocol).unwrap().state(state).unwrap();
        self.source = Some(TimeoutSource {
            setter: Setter::Defaults,
            governing: Some(Governing { state, reduction }),
            value_ms: None,
        });
        self
    }

    fn with(mut self, change: impl FnOnce(&mut PacketRecord)) -> Self {
        if let What::Packet(record) = &mut self.what {
            change(record);
        }
        self
    }

    fn because(mut self, cause: Cause, said: Option<&str>, callers: &[&str], miss: Option<Miss>) -> Self {
        self.why = Some(Why {
            cause,
            record: CauseRecord {
                time_ns: 73_990_000,
                ..CauseRecord::new_zeroed()
            },
            said: said.map(str::to_owned),
            callers: callers.iter().map(|&caller| caller.to_owned()).collect(),
            miss,
        });
        self
    }

    fn line(&self, text: &mut TraceText, table: &mut FlowTable) -> String {
        let mut out = Vec::new();
        match &self.what {
            What::Packet(record) => {
                let reason = self.why.as_ref().map_or(Reason::None, Reason::Known);
                let flow = table.packet(record);
                text.line(&mut out, Observation::Packet(record, flow, self.source, reason));
            }
            What::Entry(record) => {
                let flow = table.entry(record);
                text.line(
                    &mut out,
                    Observation::Entry(record, flow.as_ref(), self.why.as_ref()),
                );
            }
            What::Cause => text.line(&mut out, Observation::Cause(self.why.as_ref().unwrap())),
        }
        assert_eq!(out.pop(), Some(b'\n'));
        String::from_utf8(out).unwrap()
    }
}

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

fn tuple(protonum: u8, from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Tuple {
    let address = |ipv4: [u8; 4]| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&ipv4);
        bytes
    };
    Tuple {
        src: address(from.0),
        dst: address(to.0),
        src_l4: from.1.to_be_bytes(),
        dst_l4: to.1.to_be_bytes(),
        l3num: 2_u16.to_ne_bytes(),
        protonum,
        dir: 0,
    }
}

fn connection() -> Tuple {
    tuple(proto::TCP, (CLIENT, 50488), (SERVER, 8080))
}

fn comm(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

/// A confirmed entry's timeout, in seconds from now.
const fn left(seconds: u32) -> u32 {
    NOW + seconds * 250
}

fn packet(record: PacketRecord) -> Given {
    let has_entry = record.flags & PacketFlags::AFTER != 0;
    Given {
        what: What::Packet(PacketRecord {
            cpu: 1,
            verdict: 1,
            family: 2,
            time_ns: 73_990_000,
            birth_ns: 1,
            ct: if record.ct == 0 && has_entry { 1 } else { record.ct },
            flags: record.flags | PacketFlags::DURATION,
            duration_ns: if record.duration_ns == 0 {
                9344
            } else {
                record.duration_ns
            },
            ifindex: 2,
            now_jiffies: NOW,
            tuple: if record.tuple == [0; 5] {
                connection().to_words()
            } else {
                record.tuple
            },
            ..record
        }),
        source: None,
        why: None,
    }
}

const HANDLED: u16 = PacketFlags::HEADER | PacketFlags::BEFORE | PacketFlags::AFTER;

fn syn() -> Given {
    packet(PacketRecord {
        flags: HANDLED,
        ctinfo: 2,
        duration_ns: 24_606,
        tcp_flags: 2,
        tcp_seq: CLIENT_SEQ,
        tcp_window: 64_240,
        state_after: 1,
        timeout_after_jiffies: 120 * 250,
        ..PacketRecord::default()
    })
    .of("tcp", "syn_sent", None)
}

fn syn_ack() -> Given {
    packet(PacketRecord {
        flags: HANDLED | PacketFlags::TASK,
        hook: 3,
        ctinfo: 3,
        tcp_flags: 18,
        tcp_seq: SERVER_SEQ,
        tcp_ack: CLIENT_SEQ + 1,
        tcp_window: 65_160,
        state_before: 1,
        state_after: 2,
        status_before: CONFIRMED,
        status_after: SEEN,
        timeout_before_jiffies: left(119),
        timeout_after_jiffies: left(60),
        pid: 136,
        comm: comm("server"),
        ..PacketRecord::default()
    })
    .of("tcp", "syn_recv", None)
}

/// A packet of the open connection.
fn established() -> Given {
    packet(PacketRecord {
        flags: HANDLED,
        tcp_flags: 16,
        tcp_seq: CLIENT_SEQ + 1,
        tcp_ack: SERVER_SEQ + 1,
        tcp_window: 502,
        state_before: 3,
        state_after: 3,
        status_before: SEEN | status::ASSURED,
        status_after: SEEN | status::ASSURED,
        timeout_before_jiffies: left(431_999),
        timeout_after_jiffies: left(432_000),
        ..PacketRecord::default()
    })
    .of("tcp", "established", None)
}

fn ack() -> Given {
    established().with(|record| {
        record.state_before = 2;
        record.status_before = SEEN;
        record.timeout_before_jiffies = left(59);
    })
}

fn unacknowledged() -> Given {
    established()
        .with(|record| {
            record.tcp_flags = 24;
            record.timeout_after_jiffies = left(300);
        })
        .of("tcp", "unacknowledged", Some(Reduction::Unacknowledged))
}

/// INVALID: the packet leaves without its entry.
fn rejected() -> Given {
    established().with(|record| {
        record.flags &= !PacketFlags::AFTER;
        record.status_after = 0;
    })
}

fn out_of_window() -> Given {
    let miss = Miss {
        value: CLIENT_SEQ + 70_001,
        bound: CLIENT_SEQ + 67_001,
        bytes: 3000,
    };
    let words = "SEQ is over upper bound %u";
    rejected().with(|record| record.tcp_seq = miss.value).because(
        Cause::Invalid(InvalidCause::SeqOver),
        Some(words),
        &[],
        Some(miss),
    )
}

fn picked_up() -> Given {
    established().with(|record| {
        record.ct = 2;
        record.zone = 5;
    })
}

fn stray() -> Given {
    rejected()
        .with(|record| {
            record.ct = 0;
            record.status_before = 0;
            record.tcp_flags = 20;
            record.tcp_seq = CLIENT_SEQ;
            record.tcp_ack = 77;
        })
        .because(Cause::Invalid(InvalidCause::TcpNotNew), None, &[], None)
}

fn udp() -> Given {
    packet(PacketRecord {
        ct: 3,
        hook: 3,
        flags: PacketFlags::BEFORE | PacketFlags::AFTER | PacketFlags::TASK,
        ctinfo: 2,
        duration_ns: 643_563,
        timeout_after_jiffies: 30 * 250,
        tuple: tuple(proto::UDP, (CLIENT, 47719), (SERVER, 8888)).to_words(),
        pid: 1234,
        comm: comm("dig"),
        ..PacketRecord::default()
    })
    .with(|record| record.ifindex = 0)
    .of("udp", "unreplied", None)
}

fn stream() -> Given {
    udp()
        .with(|record| {
            record.ctinfo = 0;
            record.status_before = SEEN;
            record.status_after = SEEN | status::ASSURED;
            record.timeout_before_jiffies = left(27);
            record.timeout_after_jiffies = left(120);
        })
        .of("udp", "replied", None)
}

fn ping() -> Given {
    let mut ping = tuple(proto::ICMP, (CLIENT, 42), (SERVER, 0));
    ping.dst_l4 = [8, 0];
    packet(PacketRecord {
        ct: 4,
        flags: PacketFlags::BEFORE | PacketFlags::AFTER,
        ctinfo: 3,
        status_before: CONFIRMED,
        status_after: SEEN,
        timeout_before_jiffies: left(29),
        timeout_after_jiffies: left(30),
        tuple: ping.to_words(),
        ..PacketRecord::default()
    })
    .of("icmp", "timeout", None)
}

fn icmp_error() -> Given {
    established().with(|record| {
        record.flags &= !(PacketFlags::BEFORE | PacketFlags::HEADER);
        record.ctinfo = 4;
        record.set_icmp_error(IcmpError {
            kind: 3,
            code: 3,
            from: [u32::from_ne_bytes(SERVER), 0, 0, 0],
        });
    })
}

fn entry(kind: EntryKind) -> Given {
    let reply = tuple(proto::TCP, (SERVER, 8080), (CLIENT, 50488));
    Given {
        what: What::Entry(EntryRecord {
            what: kind as u8,
            cpu: 1,
            time_ns: 73_990_000,
            ct: 1,
            birth_ns: 1,
            ret: 1,
            status_before: CONFIRMED,
            status_after: CONFIRMED,
            timeout_before_jiffies: left(300),
            timeout_after_jiffies: left(119),
            now_jiffies: NOW,
            state_before: 3,
            state_after: 1,
            orig: connection().to_words(),
            reply: reply.to_words(),
            ..EntryRecord::default()
        }),
        source: None,
        why: None,
    }
}

fn change(mut given: Given, change: impl FnOnce(&mut EntryRecord)) -> Given {
    if let What::Entry(record) = &mut given.what {
        change(record);
    }
    given
}

fn by_conntrack(given: Given) -> Given {
    change(given, |record| {
        record.flags |= EntryFlags::TASK;
        record.pid = 208;
        record.portid = 208;
        record.comm = comm("conntrack");
    })
}

fn deleted() -> Given {
    let given = change(by_conntrack(entry(EntryKind::Delete)), |record| {
        record.flags |= EntryFlags::DURATION;
        record.duration_ns = 41_171;
    });
    let callers = ["ctnetlink_del_conntrack"];
    given.because(Cause::Delete(DeleteCause::Netlink), None, &callers, None)
}

fn natted() -> Given {
    change(entry(EntryKind::Insert), |record| {
        record.ct = 0;
        record.orig = tuple(proto::TCP, (CLIENT, 50488), ([203, 0, 113, 80], 80)).to_words();
    })
}

fn alone(cause: Cause, said: Option<&str>) -> Given {
    let mut given = Given {
        what: What::Cause,
        source: None,
        why: None,
    }
    .because(cause, said, &[], None);
    if let Some(why) = &mut given.why {
        why.record.tuple = connection().to_words();
        why.record.text = [0; TEXT_BYTES];
    }
    given
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
                "   0.073990    1 PRE_ROUTING  -         1  tcp 192.168.34.12:50488 > 192.168.34.11:8080             9344  INVALID for its entry ESTABLISHED [ACK seq 70001 (1951477558) ack 1 (3000000001) win 502] in if2; seq_over: SEQ is over upper bound %u, 1951477558 misses the bound 1951474558 by 3000 bytes",
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

/// Representative lines of every kind.
fn every_kind() -> Vec<Given> {
    let failed = |kind| change(entry(kind), |record| record.ret = -17);
    let expired = |given| change(given, |record| record.timeout_before_jiffies = NOW - 1);
    let early = |cause| entry(EntryKind::Delete).because(Cause::Delete(cause), None, &["early_drop"], None);
    let insert = |given: Given, cause| given.because(Cause::Insert(cause), None, &[], None);
    let dropped = change(entry(EntryKind::Confirm), |record| record.ret = 0);
    let clash = change(entry(EntryKind::Confirm), |record| {
        record.flags = EntryFlags::OTHER_ENTRY
    });
    let fixed = change(by_conntrack(entry(EntryKind::ChangeTimeout)), |record| {
        record.status_after |= status::FIXED_TIMEOUT;
    });
    let long = "NETFILTER_DROP, nft_do_chain_ipv4 < nf_hook_slow < ip_local_deliver < ip_sublist_rcv_finish";
    vec![
        syn(),
        syn_ack(),
        ack(),
        established(),
        established()
            .with(|record| (record.tcp_seq, record.tcp_ack) = (CLIENT_SEQ + 14_481, SERVER_SEQ + 51_700_001)),
        unacknowledged(),
        out_of_window(),
        rejected(),
        rejected().with(|record| record.verdict = 0),
        picked_up(),
        stray(),
        udp(),
        stream(),
        ping(),
        icmp_error(),
        established().with(|record| record.flags = PacketFlags::UNTRACKED),
        established().with(|record| record.flags = PacketFlags::SEEN_ALREADY | PacketFlags::AFTER),
        entry(EntryKind::Insert),
        natted(),
        entry(EntryKind::Confirm),
        insert(dropped, InsertCause::ExtensionsChanged),
        insert(clash, InsertCause::ClashUnresolved),
        entry(EntryKind::AllocFailed),
        by_conntrack(entry(EntryKind::CheckInsert)),
        insert(failed(EntryKind::CheckInsert), InsertCause::Exists),
        entry(EntryKind::Refresh),
        fixed,
        deleted(),
        expired(entry(EntryKind::Delete)),
        expired(early(DeleteCause::ExpiredInLookup)),
        entry(EntryKind::Delete),
        early(DeleteCause::MasqueradeDown),
        change(entry(EntryKind::Delete), |record| {
            record.status_before |= status::DYING
        }),
        entry(EntryKind::Destroy),
        change(entry(EntryKind::Destroy), |record| record.status_before = 0),
        alone(Cause::Drop(DropCause::Rule), Some(long)),
        alone(Cause::Lost(LostCause::Overrun), None),
    ]
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
        full.ends_with("INVALID tcp_invalid_state [.] seq abs 1951477558 ack abs 3000000001"),
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
