//! Text that several renderers share: addresses and ports, protocols, tasks, durations, TCP's flags.

use std::net::IpAddr;

use rsct_common::{Tuple, record::PacketRecord};

use crate::{
    names::{self, proto},
    outside,
};

use super::bytes;

/// Protocol and ends of a tuple: `udp 10.0.0.1:1 > 10.0.0.2:2`.
pub(crate) fn tuple(out: &mut Vec<u8>, tuple: &Tuple) {
    protocol(out, tuple.protonum);
    out.push(b' ');
    ends(out, tuple);
}

/// Source and destination of a tuple: `10.0.0.1:1 > 10.0.0.2:2`.
pub(crate) fn ends(out: &mut Vec<u8>, tuple: &Tuple) {
    source(out, tuple);
    out.extend_from_slice(b" > ");
    destination(out, tuple);
    if proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        out.extend_from_slice(b" type ");
        bytes::number(out, kind);
        out.extend_from_slice(b" code ");
        bytes::number(out, code);
        out.extend_from_slice(b" id ");
        bytes::number(out, tuple.src_port());
    }
}

pub(super) fn source(out: &mut Vec<u8>, tuple: &Tuple) {
    let ports = proto::has_ports(tuple.protonum);
    end(out, tuple.src_addr(), ports.then(|| tuple.src_port()));
}

pub(super) fn destination(out: &mut Vec<u8>, tuple: &Tuple) {
    let ports = proto::has_ports(tuple.protonum);
    end(out, tuple.dst_addr(), ports.then(|| tuple.dst_port()));
}

fn end(out: &mut Vec<u8>, address: IpAddr, port: Option<u16>) {
    let bracket = address.is_ipv6() && port.is_some();
    if bracket {
        out.push(b'[');
    }
    bytes::address(out, address);
    if bracket {
        out.push(b']');
    }
    if let Some(port) = port {
        out.push(b':');
        bytes::number(out, port);
    }
}

/// A protocol's name, or its number.
pub(super) fn protocol(out: &mut Vec<u8>, number: u8) {
    match proto::name(number) {
        Some(name) => bytes::short(out, name.as_bytes()),
        None => bytes::number(out, number),
    }
}

/// Appends ` from curl[123]` for ` from `.
pub(super) fn task(out: &mut Vec<u8>, before: &str, comm: &[u8; 16], pid: u32) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(outside::shown(names::comm(comm)).as_bytes());
    out.push(b'[');
    bytes::number(out, pid);
    out.push(b']');
}

/// Appends whole seconds, with tenths below ten seconds unless they are 0: `0.9s`, `30s`.
pub(super) fn milliseconds(out: &mut Vec<u8>, value: i64) {
    // Tenths above this round up to ten seconds.
    const TEN_SECONDS: i64 = 9_950;
    if value % 1000 == 0 || value.abs() >= 10_000 {
        bytes::number(out, value / 1000);
    } else if value.abs() >= TEN_SECONDS {
        bytes::number(out, value.signum() * 10);
    } else {
        if value < 0 {
            out.push(b'-');
        }
        let tenths = (value.unsigned_abs() + 50) / 100;
        bytes::number(out, tenths / 10);
        out.push(b'.');
        bytes::number(out, tenths % 10);
    }
    out.push(b's');
}

/// Appends the names of TCP's flags: `SYN,ACK`.
pub(crate) fn tcp_flags(out: &mut Vec<u8>, flags: u8) {
    const FLAGS: [(u8, &str); 6] = [
        (2, "SYN"),
        (1, "FIN"),
        (4, "RST"),
        (8, "PSH"),
        (16, "ACK"),
        (32, "URG"),
    ];
    let start = out.len();
    for (bit, name) in FLAGS {
        if flags & bit != 0 {
            if out.len() > start {
                out.push(b',');
            }
            bytes::short(out, name.as_bytes());
        }
    }
}

/// Appends tcpdump's letters for TCP's flags: `S.` for SYN,ACK.
pub(super) fn tcp_letters(out: &mut Vec<u8>, flags: u8) {
    const LETTERS: [(u8, u8); 8] = [
        (1, b'F'),
        (2, b'S'),
        (4, b'R'),
        (8, b'P'),
        (16, b'.'),
        (32, b'U'),
        (64, b'E'),
        (128, b'W'),
    ];
    if flags == 0 {
        return out.extend_from_slice(b"none");
    }
    for (bit, letter) in LETTERS {
        if flags & bit != 0 {
            out.push(letter);
        }
    }
}

/// Appends ` [SYN,ACK seq 1 ack 2 win 65160]`; the closures write the two numbers.
pub(super) fn tcp(
    out: &mut Vec<u8>,
    record: &PacketRecord,
    seq: impl FnOnce(&mut Vec<u8>),
    ack: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(b" [");
    tcp_flags(out, record.tcp_flags);
    out.extend_from_slice(b" seq ");
    seq(out);
    out.extend_from_slice(b" ack ");
    ack(out);
    out.extend_from_slice(b" win ");
    bytes::number(out, record.tcp_window);
    out.push(b']');
}

/// Appends ` zone 5`; nothing for the default zone.
pub(crate) fn zone(out: &mut Vec<u8>, zone: u16) {
    if zone != 0 {
        out.extend_from_slice(b" zone ");
        bytes::number(out, zone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn seconds_change_their_form_at_ten() {
        for (ms, expected) in [
            (0, "0s"),
            (40, "0.0s"),
            (940, "0.9s"),
            (1000, "1s"),
            (9_949, "9.9s"),
            (9_950, "10s"),
            (9_999, "10s"),
            (10_000, "10s"),
            (10_999, "10s"),
            (-400, "-0.4s"),
            (-9_949, "-9.9s"),
            (-9_999, "-10s"),
        ] {
            assert_eq!(written(|out| milliseconds(out, ms)), expected, "{ms}");
        }
    }

    #[test]
    fn tcp_flags_stand_in_the_order_of_a_handshake() {
        for (flags, expected) in [
            (0, ""),
            (2, "SYN"),
            (18, "SYN,ACK"),
            (25, "FIN,PSH,ACK"),
            (64, ""),
        ] {
            assert_eq!(written(|out| tcp_flags(out, flags)), expected, "{flags}");
        }
    }

    #[test]
    fn tcp_letters_are_tcpdumps() {
        for (flags, expected) in [
            (0, "none"),
            (2, "S"),
            (18, "S."),
            (25, "FP."),
            (20, "R."),
            (194, "SEW"),
        ] {
            assert_eq!(written(|out| tcp_letters(out, flags)), expected, "{flags}");
        }
    }
}
