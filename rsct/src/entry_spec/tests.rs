//! Options and the requests that they result in.

use rsct_common::Tuple;

use super::*;
use crate::{
    labels::LabelMap,
    netlink::conntrack::{Change, Nat, ProtoInfo},
};

fn spec(options: &str) -> Result<Spec, SpecError> {
    let names = LabelMap::parse(b"3 office\n");
    let mut spec = Spec::default();
    let mut words = options.split(' ');
    while let Some(option) = words.next() {
        let name = option.trim_start_matches('-');
        let option = match name.len() {
            1 => Opt::by_letter(name.as_bytes()[0]),
            _ => Opt::by_name(name),
        };
        spec.set(option.expect(name), words.next().unwrap_or_default(), &names)?;
    }
    Ok(spec)
}

/// A tuple in conntrack's format.
fn ends(tuple: Option<Tuple>) -> String {
    let tuple = tuple.unwrap();
    let mut text = Vec::new();
    crate::render::words::ends(&mut text, &tuple);
    String::from_utf8(text).unwrap()
}

fn both(options: &str) -> (String, String) {
    let spec = spec(options).unwrap();
    let change = spec.new_entry().unwrap();
    (ends(change.orig), ends(change.reply))
}

fn refused(options: &str) -> String {
    let refused = match spec(options) {
        Ok(spec) => spec.new_entry().map(|change| format!("{change:?}")),
        Err(error) => Err(error),
    };
    refused.unwrap_err().to_string()
}

const UDP: &str = "-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 9";

#[test]
fn a_missing_direction_is_the_inverted_other() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        both(UDP),
        pair("10.0.0.1:1 > 10.0.0.2:2", "10.0.0.2:2 > 10.0.0.1:1")
    );
    assert_eq!(
        both("-p udp -r 10.0.0.2 -q 10.0.0.1 --reply-port-src 2 --reply-port-dst 1 -t 9"),
        pair("10.0.0.1:1 > 10.0.0.2:2", "10.0.0.2:2 > 10.0.0.1:1")
    );
    assert_eq!(
        both(&format!("{UDP} -q 192.0.2.1 --reply-port-dst 4000")),
        pair("10.0.0.1:1 > 10.0.0.2:2", "10.0.0.2:2 > 192.0.2.1:4000")
    );
    assert_eq!(
        both("-p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 13 --icmp-id 5 -t 9"),
        pair(
            "10.0.0.1 > 10.0.0.2 type 13 code 0 id 5",
            "10.0.0.2 > 10.0.0.1 type 14 code 0 id 5"
        )
    );
    assert_eq!(
        both("-p icmpv6 -s fd00::1 -d fd00::2 --icmpv6-type 129 -t 9").1,
        "fd00::2 > fd00::1 type 128 code 0 id 0"
    );
    let gre = spec("-p gre -s 10.0.0.1 -d 10.0.0.2 --srckey 1 --dstkey 0xff -t 9").unwrap();
    let reply = gre.new_entry().unwrap().reply.unwrap();
    assert_eq!((reply.src_port(), reply.dst_port(), reply.dir), (255, 1, 1));
}

#[test]
fn all_missing_options_are_named() {
    for (options, said) in [
        ("-s 10.0.0.1", "an entry also needs --proto"),
        (
            "-p tcp",
            "a new entry of tcp also needs --src, --dst, --sport, --dport, --state and --timeout",
        ),
        (
            "-p udp -s 10.0.0.1 -d 10.0.0.2 -t 9 --sport 5",
            "a new entry of udp also needs --dport",
        ),
        (
            "-p sctp -s 10.0.0.1 -d 10.0.0.2 -t 9 --sport 5 --dport 6",
            "a new entry of sctp also needs --state, --orig-vtag and --reply-vtag",
        ),
        (
            "-p dccp -s 10.0.0.1 -d 10.0.0.2 -t 9 --sport 5 --dport 6 --state OPEN",
            "a new entry of dccp also needs --role",
        ),
        (
            "-p icmp -s 10.0.0.1 -d 10.0.0.2 -t 9",
            "a new entry of icmp also needs --icmp-type",
        ),
        (
            "-p 50 -s 10.0.0.1 -t 9",
            "a new entry of protocol 50 also needs --dst",
        ),
    ] {
        assert_eq!(refused(options), said, "{options}");
    }
}

#[test]
fn invalid_options_are_rejected() {
    for (options, said) in [
        ("-p 50 --sport 1", "--sport: not valid for protocol 50"),
        ("-p udp --state ESTABLISHED", "--state: not valid for udp"),
        ("-p tcp --icmp-id 1", "--icmp-id: not valid for tcp"),
        (
            "-p tcp --state OPEN -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 1",
            "--state OPEN: tcp has NONE, SYN_SENT",
        ),
        (
            "-p icmp --icmp-type 3 -s 10.0.0.1 -d 10.0.0.2",
            "--icmp-type 3: icmp has entries only for queries",
        ),
        (
            "-p udp -s 10.0.0.1 -d ::1",
            "--dst is ipv6, but --src is ipv4: an entry has one address family",
        ),
        (
            "-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -n ::1",
            "--src-nat is ipv6, but --src is ipv4",
        ),
        (
            "-p udp -s 10.0.0.1/8",
            "--src \"10.0.0.1/8\": expected an IPv4 or IPv6 address",
        ),
        ("-u ASSURED,", "--status \"ASSURED,\": expected SEEN_REPLY"),
        ("-u !ASSURED", "--status \"!ASSURED\": expected"),
        ("-t -1", "--timeout \"-1\": expected a number of seconds"),
        (
            "-t 4294967296",
            "--timeout \"4294967296\": expected a number of seconds",
        ),
        (
            "--helper abcdefghijklmnop",
            "--helper \"abcdefghijklmnop\": expected",
        ),
        ("-l 128", "--label-add \"128\": expected labels"),
        (
            "--master tcp,10.0.0.1,10.0.0.2",
            "--master \"tcp,10.0.0.1,10.0.0.2\": expected",
        ),
        ("-p udp -p udp", "--proto is given twice"),
    ] {
        let error = refused(options);
        assert!(error.starts_with(said), "{options}: {error}");
    }
    let whole = |more: &str| refused(&format!("{UDP} {more}"));
    assert_eq!(
        whole("-w 1 --orig-zone 1"),
        "--zone and --orig-zone: an entry's zone applies to both directions or to one"
    );
    assert!(whole("-c 1").starts_with("--secmark: the kernel does not accept a security mark"));
    assert!(whole("-i 1").starts_with("--id: a new entry"));
}

#[test]
fn nat_is_an_address_a_port_or_a_range_of_either() {
    let v4 = |last: u8| Some([10, 0, 0, last].into());
    for (typed, nat) in [
        ("10.0.0.9", Nat::to(v4(9), None)),
        ("10.0.0.9:53", Nat::to(v4(9), Some(53))),
        (":53", Nat::to(None, Some(53))),
        ("[fd00::1]:53", Nat::to("fd00::1".parse().ok(), Some(53))),
        ("fd00::1", Nat::to("fd00::1".parse().ok(), None)),
        (
            "10.0.0.1-10.0.0.9:1-9",
            Nat {
                addr_min: v4(1),
                addr_max: v4(9),
                port_min: Some(1),
                port_max: Some(9),
            },
        ),
    ] {
        assert_eq!(value::nat(typed), Some(nat), "{typed}");
    }
    for wrong in [
        "",
        ":",
        "10.0.0.9:",
        "10.0.0.9-",
        "10.0.0.9-10.0.0.1",
        "[fd00::1",
        "10.0.0.1-::1",
        "a:b:c",
    ] {
        assert_eq!(value::nat(wrong), None, "{wrong}");
    }
}

#[test]
fn a_new_tcp_entry_passes_packets_whatever_their_window() {
    for (state, flags) in [("ESTABLISHED", 0x0a), ("TIME_WAIT", 0x0e), ("CLOSE", 0x0e)] {
        let spec = spec(&format!(
            "-p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 9 --state {state}"
        ))
        .unwrap();
        let Some(ProtoInfo::Tcp(tcp)) = spec.new_entry().unwrap().protoinfo else {
            panic!("no TCP")
        };
        let orig = tcp.flags_orig.unwrap();
        assert_eq!((orig.flags, orig.mask), (flags, flags), "{state}");
        assert_eq!(tcp.flags_reply, tcp.flags_orig);
    }
}

#[test]
fn a_change_has_only_the_given_values() {
    let plain = spec("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -w 7").unwrap();
    let change = plain.changed_entry().unwrap();
    let only = Change {
        orig: change.orig,
        zone: Some(7),
        ..Change::default()
    };
    assert_eq!(change, only);
    let marked = spec(&format!("{UDP} -m 0x10/0xf0 -u ASSURED -l office")).unwrap();
    let change = marked.changed_entry().unwrap();
    assert_eq!((change.mark, change.mark_mask), (Some(0x10), Some(0xf0)));
    assert_eq!(change.status, Some(0b1100));
    let office = 8u32.to_ne_bytes();
    assert_eq!(change.labels.map(|labels| &labels[..4]), Some(&office[..]));
    assert_eq!(change.labels, change.labels_mask);
    let error = spec(&format!("{UDP} -n 10.0.0.9"))
        .unwrap()
        .changed_entry()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("--src-nat: the kernel cannot change it")
    );
}

#[test]
fn an_entry_is_named_by_one_direction_and_its_id() {
    let by_reply = spec("-p udp -r 10.0.0.2 -q 10.0.0.1 --reply-port-src 2 --reply-port-dst 1 -i 5").unwrap();
    let named = by_reply.named_entry().unwrap();
    assert_eq!((named.orig, named.id), (None, Some(5)));
    assert_eq!(ends(named.reply), "10.0.0.2:2 > 10.0.0.1:1");
}
