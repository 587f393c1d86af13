//! A table with something of everything, and the comparison of two listings of it.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::namespace::{Namespace, last_but_one_began};

/// How far two listings taken one after the other may be apart.
const SECONDS_APART: u64 = 2;

/// Options of `conntrack -I`, an entry a line.
pub const ENTRIES: &str = "
    -p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1001 --dport 80 --state SYN_SENT -t 1200
    -p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1002 --dport 80 --state SYN_RECV -t 600 -u SEEN_REPLY
    -p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1003 --dport 443 --state ESTABLISHED -t 432000 -u SEEN_REPLY,ASSURED -m 5
    -p tcp -s 10.0.0.2 -d 10.0.1.1 --sport 1004 --dport 443 --state FIN_WAIT -t 1200 -u SEEN_REPLY,ASSURED -m 0x15
    -p tcp -s 10.0.0.2 -d 10.0.1.1 --sport 1005 --dport 443 --state CLOSE_WAIT -t 600 -u SEEN_REPLY,ASSURED
    -p tcp -s 10.0.0.2 -d 10.0.1.1 --sport 1006 --dport 443 --state LAST_ACK -t 300 -u SEEN_REPLY,ASSURED
    -p tcp -s 10.0.0.2 -d 10.0.1.1 --sport 1007 --dport 443 --state TIME_WAIT -t 1200 -u SEEN_REPLY,ASSURED
    -p tcp -s 10.0.0.2 -d 10.0.1.1 --sport 1008 --dport 443 --state CLOSE -t 1000 -u SEEN_REPLY -w 7
    -p tcp -s 10.0.0.3 -d 10.0.1.1 --sport 1003 --dport 8080 --state ESTABLISHED -t 3000 --orig-zone 3
    -p tcp -s 10.0.0.4 -d 10.0.1.1 --sport 1003 --dport 8080 --state ESTABLISHED -t 3000 --reply-zone 4
    -p tcp -s 2001:db8::1 -d 2001:db8:0:1::1 --sport 1001 --dport 80 --state ESTABLISHED -t 3000 -u SEEN_REPLY,ASSURED
    -p udp -s 10.0.0.1 -d 10.0.1.1 --sport 53 --dport 53 -t 300
    -p udp -s 10.0.0.1 -d 10.0.1.1 --sport 1053 --dport 53 -t 300 -u SEEN_REPLY -w 7 -m 5
    -p udp -s 10.0.0.1 -d 10.0.1.1 --sport 2053 --dport 53 -t 300 -u SEEN_REPLY,ASSURED -m 0xffffffff
    -p udp -s ::1.2.3.4 -d ::ffff:1.2.3.4 --sport 1 --dport 65535 -t 300
    -p udp -s 10.0.0.9 -d 10.0.1.1 --sport 3053 --dport 53 -t 300 -n 192.0.2.1:4000
    -p udp -s 10.0.0.9 -d 10.0.1.1 --sport 4053 --dport 53 -t 300 -g 192.0.2.2:5353
    -p udp -s 10.0.0.9 -d 10.0.1.1 --sport 5053 --dport 53 -t 300 -u FIXED_TIMEOUT
    -p icmp -s 10.0.0.1 -d 10.0.1.1 --icmp-type 8 --icmp-code 0 --icmp-id 80 -t 300
    -p icmpv6 -s 2001:db8::1 -d 2001:db8::2 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 53 -t 300
    -p sctp -s 10.0.0.1 -d 10.0.1.1 --sport 5000 --dport 80 --state ESTABLISHED -t 2100 --orig-vtag 1 --reply-vtag 2
    -p sctp -s 10.0.0.1 -d 10.0.1.1 --sport 5001 --dport 80 --state SHUTDOWN_SENT -t 300 --orig-vtag 1 --reply-vtag 2
    -p dccp -s 10.0.0.1 -d 10.0.1.1 --sport 5000 --dport 80 --state OPEN -t 300 --role client
    -p udplite -s 10.0.0.1 -d 10.0.1.1 --sport 5000 --dport 80 -t 300
    -p gre -s 10.0.0.1 -d 10.0.1.1 --srckey 0x1 --dstkey 0xabcd -t 300
    -p 50 -s 10.0.0.1 -d 10.0.1.1 -t 300
    -p 112 -s 2001:db8::1 -d 2001:db8::2 -t 300
";

/// A namespace with accounting and timestamps whose table has something of everything.
pub fn broad() -> Result<Namespace> {
    let namespace = Namespace::new("broad")?;
    namespace.sh("
        sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1
        sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600
        ip link set lo up
        iptables -t raw -A OUTPUT -p udp --dport 69 -j CT --helper tftp || true
        iptables -A OUTPUT -m connlabel --label 3 --set
        iptables -A OUTPUT -m connlabel --label 64 --set
    ")?;
    namespace.create(ENTRIES)?;
    // Real traffic, for labels, counters, and a helper if the kernel has it. Its ports have no listener; the port
    // unreachable that is returned does not end the entry.
    namespace.sh("
        bash -c 'echo x > /dev/udp/127.0.0.1/9' || true
        bash -c 'echo x > /dev/udp/127.0.0.1/69' || true
    ")?;
    Ok(namespace)
}

/// Compares two listings line for line and byte for byte, except for the time that passed between them.
pub fn same_but_for_time(ours: &str, theirs: &str) -> Result<()> {
    same_since(last_but_one_began(), ours, theirs)
}

/// The same for two listings of which the first was taken after `begun`: on a busy machine that may be long ago.
pub fn same_since(begun: Instant, ours: &str, theirs: &str) -> Result<()> {
    let apart = SECONDS_APART + begun.elapsed().as_secs();
    let (our_lines, their_lines): (Vec<_>, Vec<_>) = (ours.lines().collect(), theirs.lines().collect());
    ensure!(
        our_lines.len() == their_lines.len(),
        "{} lines, conntrack has {}\nrsct:\n{ours}conntrack:\n{theirs}",
        our_lines.len(),
        their_lines.len()
    );
    for (our, their) in our_lines.iter().zip(&their_lines) {
        same_line(our, their, apart).with_context(|| format!("rsct:      {our}\nconntrack: {their}"))?;
    }
    Ok(())
}

/// The same, in any order: with a filter rsct requests a dump for each address family.
pub fn same_entries(ours: &str, theirs: &str) -> Result<()> {
    same_but_for_time(&in_order(ours), &in_order(theirs))
}

/// Lines in the order of their constant parts.
fn in_order(listing: &str) -> String {
    let mut lines: Vec<&str> = listing.lines().collect();
    lines.sort_by_key(|line| (line.split(' ').next(), line.find("src=").map(|at| &line[at..])));
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn same_line(our: &str, their: &str, apart: u64) -> Result<()> {
    let (our_fields, their_fields): (Vec<_>, Vec<_>) = (our.split(' ').collect(), their.split(' ').collect());
    ensure!(our_fields.len() == their_fields.len(), "another number of fields");
    // The first number that stands alone after the protocol's number is the timeout.
    let timeout = timeout_field(&their_fields);
    for (index, (our, their)) in our_fields.iter().zip(&their_fields).enumerate() {
        let is_time = Some(index) == timeout || their.starts_with("delta-time=");
        let number = |field: &str| field.rsplit('=').next().and_then(|n| n.parse::<u64>().ok());
        match (number(our), number(their)) {
            (Some(our), Some(their)) if is_time => {
                ensure!(our.abs_diff(their) <= apart, "times {our} and {their}")
            }
            _ => ensure!(our == their, "{our:?} where conntrack has {their:?}"),
        }
    }
    Ok(())
}

/// The last of the bare numbers before the addresses.
fn timeout_field(fields: &[&str]) -> Option<usize> {
    let addresses = fields.iter().position(|field| field.starts_with("src="))?;
    fields[..addresses]
        .iter()
        .rposition(|field| field.parse::<u64>().is_ok())
}
