//! The line that `conntrack -L expect` prints for an expectation, and `conntrack -E expect` for an event, byte for byte.

use rsct_common::Tuple;

use super::bytes;
use crate::{
    names::proto,
    netlink::expect::{EventKind, Expectation, flags},
    outside,
};

/// Appends the line, with its newline. It begins with the event, if there is one. `as_it_is`: a helper's name is written
/// unescaped, as conntrack does.
pub(crate) fn line(
    out: &mut Vec<u8>,
    expectation: &Expectation<'_>,
    event: Option<EventKind>,
    as_it_is: bool,
) {
    match event {
        Some(EventKind::New) => out.extend_from_slice(b"    [NEW] "),
        Some(EventKind::Destroy) => out.extend_from_slice(b"[DESTROY] "),
        None => {}
    }
    if let Some(timeout) = expectation.timeout {
        bytes::number(out, timeout);
        out.push(b' ');
    }
    number(out, b"proto=", expectation.tuple.protonum);
    ends(out, &expectation.tuple, b"src=", b"dst=");
    ends(out, &expectation.mask, b"mask-src=", b"mask-dst=");
    ends(out, &expectation.master, b"master-src=", b"master-dst=");
    if let Some(zone) = expectation.zone {
        number(out, b"zone=", zone);
    }
    // A flag without a name leaves its blank.
    if let Some(set) = expectation.flags
        && set != 0
    {
        for (index, name) in flags::names(set).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
        }
        out.push(b' ');
    }
    if let Some(class) = expectation.class {
        number(out, b"class=", class);
    }
    if let Some(helper) = expectation.helper {
        out.extend_from_slice(b"helper=");
        if as_it_is {
            out.extend_from_slice(helper);
        } else {
            out.extend_from_slice(outside::shown(helper).as_bytes());
        }
        out.push(b' ');
    }
    // The last field's blank becomes the line's end.
    if let Some(last) = out.last_mut() {
        *last = b'\n';
    }
}

/// Addresses are named differently in each tuple, fields of the protocol are not.
fn ends(out: &mut Vec<u8>, tuple: &Tuple, src: &'static [u8], dst: &'static [u8]) {
    for (key, addr) in [(src, tuple.src_addr()), (dst, tuple.dst_addr())] {
        out.extend_from_slice(key);
        bytes::address(out, addr);
        out.push(b' ');
    }
    if proto::has_ports(tuple.protonum) {
        number(out, b"sport=", tuple.src_port());
        number(out, b"dport=", tuple.dst_port());
    } else if proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        number(out, b"type=", kind);
        number(out, b"code=", code);
        number(out, b"id=", tuple.src_port());
    } else if tuple.protonum == proto::GRE {
        out.extend_from_slice(b"srckey=");
        bytes::hex(out, tuple.src_port().into());
        out.extend_from_slice(b" dstkey=");
        bytes::hex(out, tuple.dst_port().into());
        out.push(b' ');
    }
}

fn number(out: &mut Vec<u8>, key: &'static [u8], value: impl itoa::Integer) {
    out.extend_from_slice(key);
    bytes::number(out, value);
    out.push(b' ');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::expect::samples;

    fn written(expectation: &Expectation<'_>, event: Option<EventKind>) -> String {
        let mut out = Vec::new();
        line(&mut out, expectation, event, true);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_conntracks() {
        for sample in samples::ALL {
            let payload = sample.payload();
            let expectation = Expectation::parse(&payload).unwrap();
            assert_eq!(written(&expectation, None).trim_end_matches('\n'), sample.line);
            let came = written(&expectation, Some(EventKind::New));
            assert_eq!(came, format!("    [NEW] {}\n", sample.line));
            let went = written(&expectation, Some(EventKind::Destroy));
            assert_eq!(went, format!("[DESTROY] {}\n", sample.line));
        }
    }

    /// By src/expect/snprintf_default.c of libnetfilter_conntrack: no kernel here sends these.
    #[test]
    fn what_is_rare_stands_where_conntrack_has_it() {
        let payload = samples::FTP.payload();
        let mut expectation = Expectation::parse(&payload).unwrap();
        (expectation.zone, expectation.flags, expectation.helper) = (Some(7), Some(7), None);
        let end = " dport=21 zone=7 PERMANENT,INACTIVE,USERSPACE class=0\n";
        assert!(written(&expectation, None).ends_with(end));
        (expectation.flags, expectation.class) = (Some(8), None);
        assert!(written(&expectation, None).ends_with(" zone=7 \n"));
        expectation.tuple.protonum = proto::GRE;
        let keys = " proto=47 src=127.0.0.1 dst=127.0.0.1 srckey=0x0 dstkey=0xc80d mask-src=";
        assert!(written(&expectation, None).contains(keys));
    }
}
