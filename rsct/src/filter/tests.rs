use proptest::prelude::*;

use super::*;

fn tuple(family: Family, src: &[u8], dst: &[u8], proto: u8, ports: (u16, u16)) -> Tuple {
    let mut tuple = Tuple {
        l3num: (family as u16).to_ne_bytes(),
        protonum: proto,
        src_l4: ports.0.to_be_bytes(),
        dst_l4: ports.1.to_be_bytes(),
        ..Tuple::default()
    };
    tuple.src[..src.len()].copy_from_slice(src);
    tuple.dst[..dst.len()].copy_from_slice(dst);
    tuple
}

/// 10.0.0.1:1000 → 10.0.0.2:80, translated to 192.168.0.9:8080.
fn flow() -> (Tuple, Tuple) {
    (
        tuple(Family::Ipv4, &[10, 0, 0, 1], &[10, 0, 0, 2], 6, (1000, 80)),
        tuple(Family::Ipv4, &[192, 168, 0, 9], &[10, 0, 0, 1], 6, (8080, 1000)),
    )
}

fn matches(typed: Typed<'_>) -> bool {
    let (orig, reply) = flow();
    typed.filter().unwrap().matches(&orig, &reply, 7, 0x15)
}

macro_rules! typed {
    ($($field:ident: $value:expr),* $(,)?) => { Typed { $($field: Some($value),)* ..Typed::default() } };
}

#[test]
fn each_condition_holds_or_does_not() {
    assert!(matches(Typed::default()));
    for yes in [
        typed! { proto: "tcp", src: "10.0.0.1", dst: "10.0.0.2", sport: "1000", dport: "80" },
        typed! { reply_src: "192.168.0.0/16", reply_dst: "10.0.0.1" },
        typed! { host: "192.168.0.9" },
        typed! { host: "0.0.0.0/0", family: "ipv4" },
        typed! { port: "8080" },
        typed! { port: "80" },
        typed! { zone: "7", mark: "0x15" },
        typed! { mark: "0x5/0xf" },
        typed! { src: "10.255.0.0/8" },
    ] {
        assert!(matches(yes), "{yes:?}");
    }
    for no in [
        typed! { proto: "udp" },
        typed! { family: "ipv6" },
        typed! { src: "10.0.0.2" },
        typed! { src: "10.0.0.0/32" },
        typed! { reply_src: "10.0.0.2" },
        typed! { host: "10.0.0.3" },
        typed! { host: "::/0" },
        typed! { sport: "80" },
        typed! { dport: "8080" },
        typed! { port: "81" },
        typed! { zone: "0" },
        typed! { mark: "0x5" },
        typed! { src: "10.0.0.1", dport: "81" },
    ] {
        assert!(!matches(no), "{no:?}");
    }
}

#[test]
fn port_fields_of_other_protocols_do_not_match() {
    // The id 80 of a ping is stored in place of a source port.
    let ping = tuple(Family::Ipv4, &[10, 0, 0, 1], &[10, 0, 0, 2], 1, (80, 0x0800));
    let filter = typed! { port: "80" }.filter().unwrap();
    assert!(!filter.matches(&ping, &ping, 0, 0));
}

#[test]
fn an_address_implies_its_family() {
    let filter = typed! { src: "2001:db8::7/32" }.filter().unwrap();
    assert_eq!(filter.family, Some(Family::Ipv6));
    let prefix = filter.src.unwrap();
    assert_eq!((prefix.addr, prefix.bits), ("2001:db8::".parse().unwrap(), 32));
}

#[test]
fn errors_name_the_option() {
    for (typed, sentence) in [
        (
            typed! { src: "10.0.0" },
            "--src \"10.0.0\": expected an IPv4 or IPv6 address with an optional prefix length, such as 10.0.0.0/8",
        ),
        (
            typed! { proto: "300" },
            "--proto \"300\": expected a protocol name, such as tcp, or a number from 0 to 255",
        ),
        (
            typed! { dport: "65536" },
            "--dport \"65536\": expected a port from 0 to 65535",
        ),
        (
            typed! { sport: "" },
            "--sport \"\": expected a port from 0 to 65535",
        ),
        (
            typed! { family: "ipx" },
            "--family \"ipx\": expected ipv4 or ipv6",
        ),
        (
            typed! { zone: "-1" },
            "--zone \"-1\": expected a zone from 0 to 65535",
        ),
        (
            typed! { mark: "1/" },
            "--mark \"1/\": expected a mark of 32 bits with an optional mask that covers it, such as 0x10/0xff",
        ),
        (
            typed! { mark: "0x15/0xf" },
            "--mark \"0x15/0xf\": expected a mark of 32 bits with an optional mask that covers it, such as 0x10/0xff",
        ),
        (
            typed! { status: "ASSURED,!ASSURED" },
            "--status \"ASSURED,!ASSURED\": a bit cannot be both set and clear",
        ),
        (
            typed! { state: "ESTABLISHED,!CLOSE" },
            "--state \"ESTABLISHED,!CLOSE\": expected states, such as ESTABLISHED,TIME_WAIT, or all with ! to exclude them",
        ),
        (
            typed! { proto: "udp", state: "ESTABLISHED" },
            "--state \"ESTABLISHED\": protocol 17 has no such state",
        ),
        (
            typed! { proto: "tcp", icmp_id: "7" },
            "--icmp-id \"7\": protocol 6 has no such id",
        ),
        (
            typed! { zone: "4", orig_zone: "3" },
            "--orig-zone and --zone: an entry has only one zone number: no entry matches both",
        ),
        (
            typed! { any_nat: "", src_nat: "" },
            "--any-nat and --src-nat: use only one of them; --any-nat matches NAT of either end",
        ),
        (
            typed! { family: "ipv4", dst_nat: "[2001:db8::1]:80" },
            "--dst-nat \"[2001:db8::1]:80\" is ipv6, but --family is ipv4: no entry matches both",
        ),
        (
            typed! { label: "128" },
            "--label \"128\": expected labels: numbers from 0 to 127, or names from /etc/xtables/connlabel.conf",
        ),
        (
            typed! { helper: "a-name-that-is-too-long" },
            "--helper \"a-name-that-is-too-long\": expected a helper name of at most 15 bytes, such as ftp",
        ),
        (
            typed! { src: "10.0.0.1", dst: "::1" },
            "--dst \"::1\" is ipv6, but --src is ipv4: no entry matches both",
        ),
        (
            typed! { family: "ipv6", host: "10.0.0.1" },
            "--host \"10.0.0.1\" is ipv4, but --family is ipv6: no entry matches both",
        ),
        (
            typed! { proto: "icmp", dport: "7" },
            "--dport needs a protocol with ports; protocol 1 has none",
        ),
    ] {
        assert_eq!(typed.filter().unwrap_err().to_string(), sentence);
    }
    for wrong in [
        "10.0.0.1/33",
        "::/129",
        "10.0.0.1/",
        "10.0.0.1/+8",
        "/8",
        "localhost",
    ] {
        assert!(typed! { host: wrong }.filter().is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn a_prefix_contains_addresses_with_the_same_first_bits(a: u32, b: u32, bits in 0u8..=32) {
        let text = format!("{}/{bits}", std::net::Ipv4Addr::from(a));
        let prefix = typed! { src: &text }.filter().unwrap().src.unwrap();
        let begins_alike = bits == 0 || a >> (32 - bits) == b >> (32 - bits);
        prop_assert_eq!(prefix.contains(IpAddr::V4(b.into())), begins_alike);
    }

    #[test]
    fn any_text_is_parsed_or_rejected(text: String) {
        let t = text.as_str();
        let _ = typed! { proto: t }.filter();
        let _ = typed! { host: t }.filter();
        let _ = typed! { mark: t }.filter();
        let _ = typed! { status: t }.filter();
        let _ = typed! { state: t }.filter();
        let _ = typed! { any_nat: t }.filter();
        let _ = typed! { label: t }.filter();
        let _ = typed! { helper: t }.filter();
    }
}

/// Returns whether the entry of a captured message matches.
fn sample_meets(sample: &crate::netlink::conntrack::samples::Sample, typed: Typed<'_>) -> bool {
    let payload = sample.payload();
    typed.filter().unwrap().meets(&Entry::parse(&payload).unwrap())
}

#[test]
fn entry_conditions_match_entries() {
    use crate::netlink::conntrack::samples::{FTP, GRE, ICMPV6, SCTP, TCP};

    for (sample, yes) in [
        (
            TCP,
            typed! { state: "established", status: "assured,!src_nat", id: "892925916" },
        ),
        (TCP, typed! { state: "!TIME_WAIT,!CLOSE", zone: "7" }),
        (TCP, typed! { reply_port_src: "80", reply_port_dst: "1234" }),
        (
            SCTP,
            typed! { state: "ESTABLISHED", status: "UNREPLIED", orig_zone: "3", zone: "3" },
        ),
        // As the eBPF programs of a trace compare it.
        (SCTP, typed! { zone: "3" }),
        (GRE, typed! { src_nat: "" }),
        (GRE, typed! { any_nat: "203.0.113.0/24" }),
        (FTP, typed! { helper: "ftp", label: "3,127" }),
        (FTP, typed! { state: "TIME_WAIT,CLOSE", status: "!UNREPLIED" }),
        (ICMPV6, typed! { icmp_type: "128", icmp_code: "0", icmp_id: "77" }),
    ] {
        assert!(sample_meets(&sample, yes), "{yes:?}");
    }
    for (sample, no) in [
        (TCP, typed! { state: "CLOSE" }),
        (TCP, typed! { state: "!ESTABLISHED" }),
        (TCP, typed! { status: "UNREPLIED" }),
        (TCP, typed! { id: "1" }),
        (TCP, typed! { any_nat: "" }),
        (TCP, typed! { helper: "ftp" }),
        (TCP, typed! { reply_port_src: "81" }),
        (TCP, typed! { secmark: "1" }),
        (SCTP, typed! { reply_zone: "3" }),
        (SCTP, typed! { zone: "0" }),
        (GRE, typed! { dst_nat: "" }),
        (GRE, typed! { src_nat: "", dst_nat: "" }),
        (GRE, typed! { src_nat: "203.0.113.8" }),
        (GRE, typed! { src_nat: "203.0.113.9:80" }),
        (FTP, typed! { label: "3,4" }),
        (FTP, typed! { icmp_id: "57772" }),
        (ICMPV6, typed! { state: "ESTABLISHED" }),
    ] {
        assert!(!sample_meets(&sample, no), "{no:?}");
    }
}

/// The evaluator of each condition of a plan.
fn evaluators(typed: Typed<'_>) -> Vec<(&'static str, bool)> {
    let plan = typed.filter().unwrap().plan();
    plan.conditions
        .iter()
        .map(|condition| (condition.option, condition.by == Evaluator::Kernel))
        .collect()
}

#[test]
fn the_kernel_evaluates_supported_conditions() {
    let all = typed! {
        family: "ipv4", proto: "tcp", src: "10.0.0.1", dport: "443", reply_src: "10.0.0.9", status: "ASSURED",
        mark: "1/1",
    };
    assert!(
        evaluators(all).iter().all(|(_, kernel)| *kernel),
        "{:?}",
        evaluators(all)
    );
    let plan = all.filter().unwrap().plan();
    assert!(plan.is_all_in_kernel());
    let [query] = plan.queries[..] else {
        panic!("{plan:?}")
    };
    assert_eq!(query.orig.tuple.dst_port(), 443);
    assert_eq!(query.reply.tuple.src_addr().to_string(), "10.0.0.9");
    assert_eq!(query.status, Some(MaskedU32 { value: 4, mask: 4 }));

    assert_eq!(evaluators(typed! { dport: "443" }), [("dport", false)]);
    assert_eq!(
        evaluators(typed! { proto: "sctp", dport: "443" }),
        [("proto", true), ("dport", false)]
    );
    assert_eq!(
        evaluators(typed! { src: "10.0.0.0/8" }),
        [("family", true), ("src", false)]
    );
    // The kernel would return every address except this one.
    assert_eq!(
        evaluators(typed! { src: "2001:db8::1" }),
        [("family", true), ("src", false)]
    );
    assert_eq!(evaluators(typed! { zone: "0" }), [("zone", false)]);
    assert_eq!(
        typed! { zone: "5" }.filter().unwrap().plan().queries[0].zone,
        Some(5)
    );
    assert!(Filter::default().plan().conditions.is_empty());
}

#[test]
fn tuples_are_requested_for_each_family() {
    let plan = typed! { proto: "udp" }.filter().unwrap().plan();
    let families: Vec<_> = plan.queries.iter().map(|query| query.family).collect();
    assert_eq!(families, [Some(Family::Ipv4), Some(Family::Ipv6)]);
    let [query] = typed! { status: "ASSURED" }.filter().unwrap().plan().queries[..] else {
        panic!()
    };
    assert_eq!(query.family, None);
}
