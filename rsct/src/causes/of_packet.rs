//! Causes that the record of a packet shows. Next to a trace, the programs of causes leave packets to it.

use rsct_common::{
    Tuple,
    record::{CauseFamily, CauseFlags, CauseRecord, PacketFlags, PacketRecord, kind, what},
};
use zerocopy::FromZeros as _;

use crate::names::{proto, verdict};

use super::{Cause, Why, invalid::InvalidCause};

/// The code of an INVALID packet whose reason was not seen.
const UNSEEN: u8 = 0;

/// The cause of an INVALID packet, as `rsct why invalid` records it.
pub(crate) fn invalid(packet: &PacketRecord, why: &Why) -> CauseRecord {
    let mut record = CauseRecord {
        family: CauseFamily::Invalid as u8,
        ..of(packet)
    };
    let logged = &why.record;
    if logged.what == what::INVALID_LOGGED {
        record.what = what::INVALID_LOGGED;
        record.more = logged.more;
        record.detail = logged.detail;
        record.text = logged.text;
        record.numbers = logged.numbers;
        record.time_ns = logged.time_ns;
        record.tuple = logged.tuple;
        record.tcp_flags |= logged.tcp_flags;
        record.flags |= logged.flags & (CauseFlags::WINDOW | CauseFlags::TCP);
        return record;
    }
    let headers = Tuple::from_words(packet.tuple);
    record.what = match why.cause {
        Cause::Invalid(InvalidCause::Unknown) => UNSEEN,
        _ => what::INVALID_NO_REASON,
    };
    record.more = headers.protonum.into();
    if [proto::ICMP, proto::ICMPV6].contains(&headers.protonum) {
        let (icmp_type, code) = headers.icmp_type_code();
        record.detail = u64::from(icmp_type) | u64::from(code) << 8;
    }
    record
}

/// The cause of a packet that conntrack dropped before it had an entry; none of other packets.
pub(crate) fn no_entry(packet: &PacketRecord) -> Option<CauseRecord> {
    let is_dropped = packet.flags & PacketFlags::AFTER == 0 && u32::from(packet.verdict) != verdict::ACCEPT;
    is_dropped.then(|| CauseRecord {
        family: CauseFamily::Drop as u8,
        what: what::DROP_NO_ENTRY,
        ..of(packet)
    })
}

fn of(packet: &PacketRecord) -> CauseRecord {
    let mut record = CauseRecord {
        kind: kind::CAUSE,
        hook: packet.hook,
        cpu: packet.cpu,
        flags: CauseFlags::HOOK,
        time_ns: packet.time_ns + u64::from(packet.duration_ns),
        netns: packet.netns,
        ifindex: packet.ifindex,
        tuple: packet.tuple,
        ..CauseRecord::new_zeroed()
    };
    if packet.flags & PacketFlags::TASK != 0 {
        record.flags |= CauseFlags::TASK;
        record.pid = packet.pid;
        record.comm = packet.comm;
    }
    if packet.has_tcp() {
        record.flags |= CauseFlags::TCP;
        record.tcp_flags = packet.tcp_flags;
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{causes::Evidence, kernel::text::Symbols};

    fn packet(protonum: u8) -> PacketRecord {
        PacketRecord {
            verdict: 1,
            netns: 7,
            tuple: Tuple {
                src: [1; 16],
                dst: [2; 16],
                src_l4: [0, 1],
                dst_l4: [3, 1],
                l3num: 2_u16.to_ne_bytes(),
                protonum,
                dir: 0,
            }
            .to_words(),
            ..PacketRecord::default()
        }
    }

    fn cause(record: &CauseRecord) -> &'static str {
        let key = record.key();
        let evidence = Evidence {
            key: &key,
            text: &record.text,
        };
        Cause::of(&evidence, &Symbols::default()).unwrap().name()
    }

    #[test]
    fn a_packet_without_a_logged_reason_has_the_cause_of_its_kind() {
        for (protonum, all_seen, expected) in [
            (proto::ICMP, true, "icmp_unknown_flow"),
            (proto::TCP, true, "tcp_not_new"),
            (proto::TCP, false, "unknown"),
        ] {
            let packet = packet(protonum);
            let why = Why::without_reason(&packet.tuple, 7, 1, all_seen);
            let record = invalid(&packet, &why);
            assert_eq!((cause(&record), record.netns), (expected, 7));
        }
        let record = invalid(
            &packet(proto::ICMP),
            &Why::without_reason(&packet(proto::ICMP).tuple, 7, 1, true),
        );
        // As the eBPF program reads it: the type and the code.
        assert_eq!(record.detail, packet(proto::ICMP).tuple[4] >> 32 & 0xffff);
    }

    #[test]
    fn a_dropped_packet_without_an_entry_has_a_cause() {
        assert!(no_entry(&packet(proto::UDP)).is_none());
        let dropped = PacketRecord {
            verdict: 0,
            ..packet(proto::UDP)
        };
        assert_eq!(no_entry(&dropped).map(|record| cause(&record)), Some("no_entry"));
    }
}
