//! A filter means what it means to conntrack.

use anyhow::{Context as _, Result, ensure};

use super::table;

/// Options that both understand, and whether any entry of the table meets them.
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
    ("-w 0", true),
    ("-w 3", false),
    ("--zone 7 -p udp -m 5", true),
];

pub fn run() -> Result<()> {
    let namespace = table::broad()?;
    for (filter, any) in FILTERS {
        let args: Vec<&str> = filter.split(' ').collect();
        let compared = || {
            let ours = namespace.list(&args)?;
            table::same_but_for_time(&ours, &namespace.conntrack(&args)?)?;
            ensure!(ours.is_empty() != *any, "entries found: {}", !ours.is_empty());
            anyhow::Ok(())
        };
        compared().with_context(|| format!("with {filter}"))?;
    }
    // What conntrack can't ask: any side's address and port.
    for (filter, entries) in [
        ("--host 192.0.2.2", 1),
        ("--addr 192.0.2.0/24", 2),
        ("--port 5353", 1),
        ("--dport 443 --host 10.0.0.1", 1),
        ("--port 4000 --host 10.0.0.9", 1),
    ] {
        let args: Vec<&str> = filter.split(' ').collect();
        let ours = namespace.list(&args)?;
        ensure!(
            ours.lines().count() == entries,
            "with {filter}, {entries} expected:\n{ours}"
        );
    }
    Ok(())
}
