//! An expectation, or what became of one, as one JSON object; docs/json.md describes every name.

use rsct_common::Tuple;

use super::{
    bytes,
    expect::about::Happened,
    json::{array, close, key, number, open, text, tuple, word},
};
use crate::{
    flow::names::proto,
    kernel::netns::Netns,
    netlink::expect::{Expectation, flags},
};

/// Appends an expectation's object and a newline. The namespace is part of it where more than the current one was
/// asked for.
pub fn object(
    out: &mut Vec<u8>,
    expectation: &Expectation<'_>,
    happened: Option<Happened>,
    netns: Option<&Netns>,
) {
    out.push(b'{');
    if let Some(happened) = happened {
        word(out, "event", Some(happened.kind.name()));
        number(out, "received_ns", Some(happened.received_ns));
        number(out, "portid", Some(happened.portid).filter(|portid| *portid != 0));
    }
    if let Some(netns) = netns {
        text(out, "netns", Some(netns.name.as_str().as_bytes()));
        number(out, "netns_inode", Some(netns.inode));
    }
    word(out, "family", expectation.family().map(|family| family.name()));
    protocol(out, &expectation.tuple);
    number(out, "timeout_seconds", expectation.timeout);
    open(out, "tuple");
    tuple(out, &expectation.tuple);
    close(out);
    open(out, "mask");
    tuple(out, &expectation.mask);
    close(out);
    open(out, "master");
    protocol(out, &expectation.master);
    tuple(out, &expectation.master);
    close(out);
    number(out, "zone", expectation.zone);
    if let Some(set) = expectation.flags {
        key(out, "flags");
        array(out, flags::names(set), |out, name| {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
        });
    }
    number(out, "class", expectation.class);
    text(out, "helper", expectation.helper);
    text(out, "function", expectation.function);
    if let Some(nat) = &expectation.nat {
        open(out, "nat");
        match nat.dir {
            0 => word(out, "dir", Some("orig")),
            1 => word(out, "dir", Some("reply")),
            dir => number(out, "dir", Some(dir)),
        }
        protocol(out, &nat.tuple);
        tuple(out, &nat.tuple);
        close(out);
    }
    number(out, "id", expectation.id);
    let mut unknown = expectation.unknown().peekable();
    if unknown.peek().is_some() {
        key(out, "unknown");
        array(out, unknown, |out, attr| {
            out.push(b'{');
            number(out, "type", Some(attr.kind));
            key(out, "bytes");
            array(out, attr.payload.iter().copied(), bytes::number);
            close(out);
        });
    }
    close(out);
    out.push(b'\n');
}

fn protocol(out: &mut Vec<u8>, tuple: &Tuple) {
    word(out, "proto", proto::name(tuple.protonum));
    number(out, "protonum", Some(tuple.protonum));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::netlink::expect::{EventKind, samples};

    fn value(expectation: &Expectation<'_>, happened: Option<Happened>) -> Value {
        let mut out = Vec::new();
        object(&mut out, expectation, happened, None);
        assert_eq!(out.pop(), Some(b'\n'));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_member_has_its_name() {
        let payload = samples::TRANSLATED.payload();
        let expectation = Expectation::parse(&payload).unwrap();
        let expected = json!({
            "family": "ipv4", "proto": "tcp", "protonum": 6, "timeout_seconds": 299,
            "tuple": {"src": "127.0.0.1", "dst": "10.7.7.7", "sport": 0, "dport": 51213},
            "mask": {"src": "255.255.255.255", "dst": "255.255.255.255", "sport": 0, "dport": 65535},
            "master": {
                "proto": "tcp", "protonum": 6, "src": "127.0.0.1", "dst": "10.7.7.7", "sport": 42308, "dport": 21
            },
            "flags": [], "class": 0, "helper": "ftp", "function": "nat-follow-master",
            "nat": {
                "dir": "orig", "proto": "tcp", "protonum": 6, "src": "0.0.0.0", "dst": "0.0.0.0", "sport": 51213,
                "dport": 0
            },
            "id": 0xc7ee_1e32_u32,
        });
        assert_eq!(value(&expectation, None), expected);
    }

    #[test]
    fn what_happened_stands_first() {
        let payload = samples::PERMANENT.payload();
        let mut expectation = Expectation::parse(&payload).unwrap();
        expectation.flags = Some(3);
        let happened = |portid| Happened {
            kind: EventKind::Destroy,
            received_ns: 5,
            portid,
        };
        let gone = value(&expectation, Some(happened(9)));
        assert_eq!(
            (&gone["event"], &gone["received_ns"], &gone["portid"]),
            (&json!("destroy"), &json!(5), &json!(9))
        );
        assert_eq!(gone["flags"], json!(["PERMANENT", "INACTIVE"]));
        assert_eq!(
            (&gone["proto"], &gone["master"]["proto"]),
            (&json!("udp"), &json!("tcp"))
        );
        assert!(value(&expectation, Some(happened(0))).get("portid").is_none());
    }

    #[test]
    fn unknown_attributes_are_there() {
        let mut payload = samples::FTP.payload();
        payload.extend([6, 0, 0xe7, 0x03, 1, 2, 0, 0]);
        let expectation = Expectation::parse(&payload).unwrap();
        assert_eq!(
            value(&expectation, None)["unknown"],
            json!([{"type": 999, "bytes": [1, 2]}])
        );
    }
}
