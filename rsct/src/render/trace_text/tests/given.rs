//! Observations of one connection and a few others.

use rsct_common::{
    Tuple,
    record::{
        CauseFamily, CauseRecord, EntryFlags, EntryKind, EntryRecord, IcmpError, PacketFlags, PacketRecord,
        what,
    },
};
use zerocopy::FromZeros as _;

use crate::{
    causes::{
        Cause, Why, delete::DeleteCause, drop::DropCause, insert::InsertCause, invalid::InvalidCause,
        lost::LostCause, window::Miss,
    },
    flow::{FlowTable, tuples::inverse},
    names::{proto, status},
    observe::{Observation, Reason},
    render::trace_text::TraceText,
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
pub(super) struct Given {
    pub(super) what: What,
    source: Option<TimeoutSource<'static>>,
    why: Option<Why>,
}

pub(super) enum What {
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

    pub(super) fn with(mut self, change: impl FnOnce(&mut PacketRecord)) -> Self {
        if let What::Packet(record) = &mut self.what {
            change(record);
        }
        self
    }

    pub(super) fn because(
        mut self,
        cause: Cause,
        said: Option<&str>,
        callers: &[&str],
        miss: Option<Miss>,
    ) -> Self {
        let is_logged = matches!(cause, Cause::Invalid(_));
        self.why = Some(Why {
            cause,
            record: CauseRecord {
                time_ns: 73_990_000,
                family: if is_logged { CauseFamily::Invalid as u8 } else { 0 },
                what: if is_logged { what::INVALID_LOGGED } else { 0 },
                // The headers of a packet of the original direction.
                tuple: connection().to_words(),
                ..CauseRecord::new_zeroed()
            },
            said: said.map(str::to_owned),
            callers: callers.iter().map(|&caller| caller.to_owned()).collect(),
            miss,
        });
        self
    }

    /// The cause is of a packet in the opposite direction.
    pub(super) fn reversed(mut self) -> Self {
        if let Some(why) = &mut self.why {
            why.record.tuple = inverse(&Tuple::from_words(why.record.tuple)).to_words();
        }
        self
    }

    pub(super) fn line(&self, text: &mut TraceText, table: &mut FlowTable) -> String {
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

pub(super) fn syn() -> Given {
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

pub(super) fn syn_ack() -> Given {
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
pub(super) fn established() -> Given {
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

pub(super) fn ack() -> Given {
    established().with(|record| {
        record.state_before = 2;
        record.status_before = SEEN;
        record.timeout_before_jiffies = left(59);
    })
}

pub(super) fn unacknowledged() -> Given {
    established()
        .with(|record| {
            record.tcp_flags = 24;
            record.timeout_after_jiffies = left(300);
        })
        .of("tcp", "unacknowledged", Some(Reduction::Unacknowledged))
}

/// A packet that conntrack rejected: it left without its entry.
pub(super) fn rejected() -> Given {
    established().with(|record| {
        record.flags &= !PacketFlags::AFTER;
        record.status_after = 0;
    })
}

/// The same of the other end.
pub(super) fn rejected_reply() -> Given {
    rejected().with(|record| (record.tcp_seq, record.tcp_ack) = (SERVER_SEQ + 1, CLIENT_SEQ + 1))
}

pub(super) fn out_of_window() -> Given {
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

pub(super) fn picked_up() -> Given {
    established().with(|record| {
        record.ct = 2;
        record.zone = 5;
    })
}

pub(super) fn stray() -> Given {
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

pub(super) fn udp() -> Given {
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

pub(super) fn stream() -> Given {
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

pub(super) fn ping() -> Given {
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

pub(super) fn entry(kind: EntryKind) -> Given {
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

pub(super) fn deleted() -> Given {
    let given = change(by_conntrack(entry(EntryKind::Delete)), |record| {
        record.flags |= EntryFlags::DURATION;
        record.duration_ns = 41_171;
    });
    let callers = ["ctnetlink_del_conntrack"];
    given.because(Cause::Delete(DeleteCause::Netlink), None, &callers, None)
}

pub(super) fn natted() -> Given {
    change(entry(EntryKind::Insert), |record| {
        record.ct = 0;
        record.orig = tuple(proto::TCP, (CLIENT, 50488), ([203, 0, 113, 80], 80)).to_words();
    })
}

pub(super) fn alone(cause: Cause, said: Option<&str>) -> Given {
    let given = Given {
        what: What::Cause,
        source: None,
        why: None,
    };
    given.because(cause, said, &[], None)
}

/// Representative observations of every kind.
pub(super) fn every_kind() -> Vec<Given> {
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
