//! Every error is reported in one sentence on stderr, and in the exit code.

use std::process::Command;

use anyhow::{Result, ensure};

use super::namespace::{Namespace, output, rsct};
use crate::sentence::one_sentence;

pub fn run() -> Result<()> {
    let namespace = Namespace::new("errors")?;
    for (args, code, sentence) in [
        ("--netns no-such-one", 1, "no such name under /run/netns"),
        ("--netns 3999999999", 1, "no process with this id"),
        ("--netns ../../proc/1/ns/net", 1, "no such name under /run/netns"),
        ("-s 10.0.0", 2, "expected an IPv4 or IPv6 address"),
        ("-s 10.0.0.1/33", 2, "expected an IPv4 or IPv6 address"),
        ("-s localhost", 2, "expected an IPv4 or IPv6 address"),
        ("-p 256", 2, "expected a protocol name"),
        ("-p no-such-protocol", 2, "expected a protocol name"),
        ("--sport 65536", 2, "expected a port"),
        ("--dport http", 2, "expected a port"),
        ("--port=-1", 2, "expected a port"),
        ("-w 65536", 2, "expected a zone"),
        ("-m 4294967296", 2, "expected a mark"),
        ("-m 1/x", 2, "expected a mark"),
        ("-m 0x15/0xf", 2, "an optional mask that covers it"),
        ("-u NONSENSE", 2, "expected status bits"),
        ("-u ASSURED,!ASSURED", 2, "both set and clear"),
        ("--state LISTENING", 2, "expected states"),
        ("-p udp --state ESTABLISHED", 2, "protocol 17 has no such state"),
        ("-w 3 --orig-zone 4", 2, "no entry matches both"),
        ("-w 0 --zone-reply 4", 2, "no entry matches both"),
        ("--orig-zone 3 --reply-zone 4", 2, "no entry matches both"),
        ("-l no-such-label", 2, "expected labels: numbers"),
        ("-l 128", 2, "expected labels: numbers"),
        ("-n 10.0.0.1:x", 2, "after NAT"),
        ("-n 10.0.0.1 -f ipv6", 2, "no entry matches both"),
        ("-j -n", 2, "use only one of them"),
        ("-i x", 2, "expected an entry id"),
        ("-c 1/", 2, "expected a mark"),
        ("-p tcp --icmp-type 8", 2, "protocol 6 has no such type"),
        ("-z -p tcp", 2, "the only filter allowed is --family"),
        ("-t dying -z", 2, "only counters of the conntrack table"),
        ("-t gone", 2, "invalid value 'gone'"),
        ("-f ipx", 2, "expected ipv4 or ipv6"),
        ("-f ipv6 -s 10.0.0.1", 2, "no entry matches both"),
        ("-p icmp --dport 80", 2, "protocol 1 has none"),
        ("--no-such-option", 2, "unexpected argument"),
        ("-o yaml", 2, "invalid value 'yaml'"),
        ("stray", 2, "unexpected argument 'stray'"),
    ] {
        let args: Vec<&str> = std::iter::once("list").chain(args.split(' ')).collect();
        one_sentence(&mut namespace.rsct(&args), code, sentence)?;
    }
    let mut unprivileged = namespace.command("setpriv", &["--bounding-set=-all", "--inh-caps=-all"]);
    unprivileged.arg("--").arg(rsct()).arg("list");
    one_sentence(
        &mut unprivileged,
        1,
        "not permitted; run as root or with the capability CAP_NET_ADMIN",
    )?;
    for netns in [namespace.name.as_str(), "all"] {
        let mut unprivileged = Command::new("setpriv");
        unprivileged.args(["--bounding-set=-all", "--inh-caps=-all", "--"]);
        unprivileged.arg(rsct()).args(["list", "--netns", netns]);
        one_sentence(&mut unprivileged, 1, "CAP_SYS_ADMIN")?;
    }

    // An empty table is no error.
    let empty = output(&mut namespace.rsct(&["list"]))?;
    ensure!(empty.status.success() && empty.stdout.is_empty(), "{empty:?}");
    ensure!(
        empty.stderr == b"rsct: 0 flow entries have been shown.\n",
        "{empty:?}"
    );

    // A full disk is.
    namespace.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 300")?;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    one_sentence(
        namespace.rsct(&["list"]).stdout(full),
        1,
        "No space left on device",
    )?;
    Ok(())
}
