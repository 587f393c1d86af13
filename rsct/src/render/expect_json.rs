//! An expectation, or the event that it had, as one JSON object.

use super::{bytes::json_line, expect::about::Happened};
use crate::{
    kernel::netns::NetnsName,
    netlink::expect::{Expectation, flags},
    schema::{
        common::{Requester, Tuple, Word},
        entry::UnknownAttribute,
        expectation as schema,
    },
};

/// Appends an expectation's object and a newline. `netns`: for output with `--netns`.
pub(crate) fn object(
    out: &mut Vec<u8>,
    expectation: &Expectation<'_>,
    happened: Option<Happened>,
    netns: Option<&NetnsName>,
) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let unknown = expectation.unknown().map(|attr| UnknownAttribute {
        attribute: attr.kind,
        payload: attr.payload.to_vec(),
    });
    let object = schema::Expectation {
        event: happened.map(|happened| happened.kind.name()),
        received_ns: happened.map(|happened| happened.received_ns),
        requester: happened.and_then(|happened| Requester::of(happened.portid)),
        netns: netns.into(),
        family: expectation.family().map(|family| family.name().into()),
        timeout_s: expectation.timeout,
        tuple: (&expectation.tuple).into(),
        mask: Tuple::from(&expectation.mask).into(),
        master: (&expectation.master).into(),
        zone: expectation.zone,
        flags: expectation
            .flags
            .map(|set| flags::names(set).map(Word::from).collect()),
        class: expectation.class,
        helper: expectation.helper.map(text),
        expect_function: expectation.function.map(text),
        nat: expectation.nat.as_ref().map(|nat| schema::Nat {
            dir: match nat.dir {
                0 => Some("orig".into()),
                1 => Some("reply".into()),
                _ => None,
            },
            tuple: (&nat.tuple).into(),
        }),
        id: expectation.id,
        unknown_attributes: unknown.collect(),
    };
    json_line(out, &object);
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
            "family": "ipv4", "timeout_s": 299,
            "tuple": {"proto": "tcp", "protonum": 6, "src": "127.0.0.1", "dst": "10.7.7.7", "sport": 0, "dport": 51213},
            "mask": {"src": "255.255.255.255", "dst": "255.255.255.255", "sport": 0, "dport": 65535},
            "master": {
                "proto": "tcp", "protonum": 6, "src": "127.0.0.1", "dst": "10.7.7.7", "sport": 42308, "dport": 21
            },
            "flags": [], "class": 0, "helper": "ftp", "expect_function": "nat-follow-master",
            "nat": {
                "dir": "orig",
                "tuple": {
                    "proto": "tcp", "protonum": 6, "src": "0.0.0.0", "dst": "0.0.0.0", "sport": 51213, "dport": 0
                },
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
            (&gone["event"], &gone["received_ns"], &gone["requester"]["portid"]),
            (&json!("destroy"), &json!(5), &json!(9))
        );
        assert_eq!(gone["flags"], json!(["PERMANENT", "INACTIVE"]));
        assert_eq!(
            (&gone["tuple"]["proto"], &gone["master"]["proto"]),
            (&json!("udp"), &json!("tcp"))
        );
        assert!(value(&expectation, Some(happened(0))).get("requester").is_none());
    }

    #[test]
    fn unknown_attributes_are_there() {
        let mut payload = samples::FTP.payload();
        payload.extend([6, 0, 0xe7, 0x03, 1, 2, 0, 0]);
        let expectation = Expectation::parse(&payload).unwrap();
        assert_eq!(
            value(&expectation, None)["unknown_attributes"],
            json!([{"attribute": 999, "payload": [1, 2]}])
        );
    }
}
