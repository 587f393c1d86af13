//! A filter matches the same entries as conntrack's.

use anyhow::{Context as _, Result, ensure};

use super::{namespace::output, table};

/// Options of both tools, and whether they match any entry of the table.
const FILTERS: &[(&str, bool)] = &[
    ("-p tcp", true),
    ("-p udp", true),
    ("-p 17", true),
    ("-p icmp", true),
    ("-p icmpv6", true),
    ("-p sctp", true),
    ("-p gre", true),
    ("-p udplite", true),
    ("-p esp", true),
    ("-p 50", true),
    ("-p 99", false),
    ("-f ipv4", true),
    ("-f ipv6", true),
    ("-f ipv6 -p tcp", true),
    ("-s 10.0.0.1", true),
    ("-s 10.0.0.0/24", true),
    ("-s 10.0.0.0/30", true),
    ("-s 10.9.0.0/16", false),
    ("-d 10.0.1.1", true),
    ("-s 10.0.0.2 -d 10.0.1.1", true),
    ("-r 192.0.2.2", true),
    ("-q 192.0.2.1", true),
    ("--reply-src 10.0.1.1 --reply-dst 10.0.0.1", true),
    ("-s 2001:db8::1", true),
    ("-s 2001:db8::/32", true),
    ("-d 2001:db8:0:1::/64", true),
    ("-p tcp --sport 1003", true),
    ("-p tcp --dport 443", true),
    ("-p udp --dport 53", true),
    ("-p udp --orig-port-src 53 --orig-port-dst 53", true),
    ("-p sctp --dport 80", true),
    ("-p tcp --dport 4", false),
    ("-m 5", true),
    ("-m 0", true),
    ("-m 0x5/0xf", true),
    ("-m 4294967295", true),
    ("-w 7", true),
    ("--zone 7 -p udp -m 5", true),
    ("-u ASSURED", true),
    ("-u SEEN_REPLY", true),
    ("-u FIXED_TIMEOUT", true),
    ("-u ASSURED,SEEN_REPLY", true),
    ("-u OFFLOAD", false),
    ("-p tcp --state ESTABLISHED", true),
    ("-p tcp --state CLOSE_WAIT", true),
    ("-p sctp --state SHUTDOWN_SENT", true),
    ("-p tcp --reply-port-src 443", true),
    ("-p udp --reply-port-dst 4000", true),
    ("--orig-zone 3", true),
    ("--reply-zone 4", true),
    ("--orig-zone 4", false),
    ("-n", true),
    ("-g", true),
    ("-j", true),
    ("-n 192.0.2.1", true),
    ("-n 192.0.2.1:4000", true),
    ("-n 192.0.2.1:4001", false),
    ("-g 192.0.2.2:5353", true),
    ("-j 192.0.2.2", true),
    ("-p icmp --icmp-type 8 --icmp-code 0 --icmp-id 80", true),
    ("-p icmp --icmp-type 8", true),
    ("-p icmpv6 --icmpv6-id 53", true),
];

/// Options, and the part that checks each condition: the kernel or rsct.
const EXPLAINED: &[(&str, &[&str])] = &[
    ("", &["there is no filter"]),
    (
        "-p tcp --dport 443 -u ASSURED",
        &[
            "--proto: applied by the kernel",
            "--dport: applied by the kernel",
            "--status: applied by the kernel",
            "one request for each family",
        ],
    ),
    (
        "-s 10.0.0.0/8 -w 7 -n",
        &[
            "--family: applied by the kernel",
            "--src: applied by rsct: the kernel compares only whole addresses",
            "--zone: applied by the kernel",
            "--nat: applied by rsct",
        ],
    ),
    (
        "-s 2001:db8::1",
        &["--src: applied by rsct: the kernel inverts the comparison of IPv6 addresses"],
    ),
];

pub fn run() -> Result<()> {
    let namespace = table::broad()?;
    for (filter, any) in FILTERS {
        let args: Vec<&str> = filter.split(' ').collect();
        let compared = || {
            let ours = namespace.list(&args)?;
            table::same_entries(&ours, &namespace.conntrack(&args)?)?;
            ensure!(ours.is_empty() != *any, "entries found: {}", !ours.is_empty());
            anyhow::Ok(())
        };
        compared().with_context(|| format!("with {filter}"))?;
    }
    // Conditions that conntrack lacks: any side's address and port.
    for (filter, entries) in [
        ("--host 192.0.2.2", 1),
        ("--addr 192.0.2.0/24", 2),
        ("--port 5353", 1),
        ("--dport 443 --host 10.0.0.1", 1),
        ("--port 4000 --host 10.0.0.9", 1),
        ("-u UNREPLIED,!SRC_NAT -p udp -s 10.0.0.9 --dport 53", 2),
        ("-p tcp --state !ESTABLISHED,!SYN_SENT", 6),
        ("--state ESTABLISHED -u ASSURED", 2),
        ("-p udp -n 192.0.2.0/24", 1),
        ("-j :5353", 1),
        ("-l 3,64", 2),
        ("-l 3 -p udp --dport 9", 1),
        ("--reply-port-src 5353", 1),
        ("-p icmpv6 --icmp-type 128", 1),
        // A zone by its number, where conntrack shows only those of both directions.
        ("-w 3", 1),
        ("-w 4", 1),
        ("-w 3 --zone-orig 3", 1),
        ("-w 3 --zone-reply 3", 0),
        ("--zone-reply 4", 1),
        ("-w 0 -s 10.0.0.3", 0),
        ("-w 0 -s 10.0.0.4", 0),
        ("-w 0 -p udp -s 10.0.0.1 -d 10.0.1.1", 2),
    ] {
        let args: Vec<&str> = filter.split(' ').collect();
        let ours = namespace.list(&args)?;
        ensure!(
            ours.lines().count() == entries,
            "with {filter}, {entries} expected:\n{ours}"
        );
    }
    for (filter, sentences) in EXPLAINED {
        let args: Vec<&str> = filter.split_whitespace().chain(["--explain"]).collect();
        let output = output(&mut namespace.rsct(&[&["list"], &args[..]].concat()))?;
        let said = String::from_utf8(output.stderr)?;
        for sentence in *sentences {
            ensure!(
                said.contains(sentence),
                "with {filter}, {sentence:?} expected:\n{said}"
            );
        }
    }
    Ok(())
}
