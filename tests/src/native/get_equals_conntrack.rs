//! `rsct get` finds the entries that `conntrack -G` finds, of every protocol, by either direction.

use anyhow::{Result, ensure};

use super::{
    namespace::{Namespace, output},
    table::{broad, same_but_for_time},
};
use crate::sentence::one_sentence;

/// Options that name one entry of the broad table for both tools. (Without UDPLITE: Linux 7 has no handler for it, and
/// keeps such entries without ports.)
const TUPLES: &str = "
    -p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1003 --dport 443
    -p tcp -s 2001:db8::1 -d 2001:db8:0:1::1 --sport 1001 --dport 80
    -p udp -s 10.0.0.9 -d 10.0.1.1 --sport 4053 --dport 53
    -p icmp -s 10.0.0.1 -d 10.0.1.1 --icmp-type 8 --icmp-code 0 --icmp-id 80
    -p icmpv6 -s 2001:db8::1 -d 2001:db8::2 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 53
    -p sctp -s 10.0.0.1 -d 10.0.1.1 --sport 5000 --dport 80
    -p gre -s 10.0.0.1 -d 10.0.1.1 --srckey 0x1 --dstkey 0xabcd
";

pub fn run() -> Result<()> {
    let namespace = broad()?;
    agree(&namespace)?;
    for (args, code, sentence) in [
        (
            "-p udp -s 10.0.0.1 -d 10.0.1.1 --sport 9 --dport 9",
            1,
            "has none with this tuple in zone 0",
        ),
        ("-p udp -s 10.0.0.1 -d 10.0.1.1 --sport 9", 2, "give --dport"),
        (
            "-p udp -s 10.0.0.0/8 -d 10.0.1.1 --sport 9 --dport 9",
            2,
            "expected one address",
        ),
        (
            "-p icmp -s 10.0.0.1 -d 10.0.1.1 --icmp-type 3 --icmp-id 9",
            2,
            "which are types 0, 8 and 13 to 18",
        ),
        (
            "-p icmp -s 10.0.0.1 -d 10.0.1.1 --icmp-type 8",
            2,
            "give --icmp-id",
        ),
        (
            "-p udp -s 10.0.0.1 -d ::1 --sport 9 --dport 9",
            2,
            "no entry matches both",
        ),
        ("-p udp -d 10.0.1.1", 2, "--src"),
        (
            "-p udp -s 10.0.0.1 -d 10.0.1.1 --sport 9 --dport 9 --icmp-id 1",
            2,
            "protocol 17 has no such field",
        ),
        (
            "-p icmp -s 10.0.0.1 -d 10.0.1.1 --icmp-type 8 --icmp-id 1 --dstkey 1",
            2,
            "protocol 1 has no such field",
        ),
        (
            "-p gre -s 10.0.0.1 -d 10.0.1.1 --srckey 65536",
            2,
            "expected a key",
        ),
    ] {
        let args: Vec<&str> = std::iter::once("get").chain(args.split(' ')).collect();
        one_sentence(&mut namespace.rsct(&args), code, sentence)?;
    }
    Ok(())
}

/// Checks that the two tools find the same entries.
pub fn agree(namespace: &Namespace) -> Result<()> {
    for line in TUPLES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let options: Vec<&str> = line.split(' ').collect();
        let theirs = output(&mut namespace.command("conntrack", &[&["-G"], &options[..]].concat()))?;
        let ours = output(&mut namespace.rsct(&[&["get"], &options[..]].concat()))?;
        let found = theirs.status.success() && !theirs.stdout.is_empty();
        ensure!(found, "{line}: conntrack finds nothing: {theirs:?}");
        ensure!(
            ours.status.success() && ours.stderr.is_empty(),
            "{line}: {ours:?}"
        );
        same_but_for_time(
            &String::from_utf8_lossy(&ours.stdout),
            &String::from_utf8_lossy(&theirs.stdout),
        )?;
    }
    // A zone, which conntrack does not accept here; the reply's tuple; a protocol with nothing but addresses.
    for options in [
        "-p tcp -s 10.0.0.2 -d 10.0.1.1 --sport 1008 --dport 443 -w 7",
        "-p udp -s 192.0.2.2 -d 10.0.0.9 --sport 5353 --dport 4053",
        "-p 50 -s 10.0.0.1 -d 10.0.1.1",
    ] {
        let options: Vec<&str> = options.split(' ').collect();
        let ours = output(&mut namespace.rsct(&[&["get"], &options[..]].concat()))?;
        let lines = String::from_utf8_lossy(&ours.stdout).lines().count();
        ensure!(ours.status.success() && lines == 1, "{options:?}: {ours:?}");
    }
    Ok(())
}
