use super::*;

const PROTOCOLS: &str =
    "tcp 6 TCP\nudp 17 UDP\nesp 50 IPSEC-ESP\nsctp 132 SCTP\nipv6-icmp 58 IPv6-ICMP\nmptcp 262 MPTCP\n";

fn read(words: &str, etc_protocols: io::Result<String>) -> Result<TimeoutCommand, String> {
    let words: Vec<&[u8]> = std::iter::once("nfct")
        .chain(words.split(' '))
        .map(str::as_bytes)
        .collect();
    let line = CommandLine::parse(&words).map_err(|problem| problem.text())?;
    parse(&line, || etc_protocols).map_err(|problem| problem.text())
}

fn text(words: &str) -> String {
    read(words, Ok(PROTOCOLS.to_owned())).expect_err(words)
}

fn parsed(words: &str) -> TimeoutCommand {
    read(words, Ok(PROTOCOLS.to_owned())).expect(words)
}

fn timeouts(l3proto: u16, l4proto: u8, values: &[(u16, u32)]) -> Timeouts {
    Timeouts {
        l3proto,
        l4proto,
        values: values.to_vec(),
    }
}

#[test]
fn states_are_read_as_nfct_reads_them() {
    for (words, expected) in [
        ("inet udp", timeouts(2, 17, &[])),
        ("inet6 UDP replied 5", timeouts(10, 17, &[(2, 5)])),
        (
            "inet tcp CLOSE 1 syn_Sent 2 close 3",
            timeouts(2, 6, &[(1, 2), (8, 3)]),
        ),
        ("inet icmpv6 timeout 0x10", timeouts(2, 58, &[(1, 0)])),
        ("inet6 ipv6-icmp timeout 7x", timeouts(10, 58, &[(1, 7)])),
        ("inet generic timeout -1", timeouts(2, 255, &[(1, u32::MAX)])),
        (
            "inet udp unreplied 99999999999999999999 replied 4294967297",
            timeouts(2, 17, &[(1, u32::MAX), (2, 1)]),
        ),
    ] {
        let name = b"a".to_vec();
        assert_eq!(
            parsed(&format!("add timeout a {words}")),
            TimeoutCommand::Add(name, expected),
            "{words}"
        );
    }
    assert_eq!(
        parsed("default-get timeout inet mptcp x y"),
        TimeoutCommand::GetDefaults(timeouts(2, 6, &[]))
    );
}

#[test]
fn long_names_are_truncated() {
    let long = "0123456789".repeat(4);
    let cut = long.as_bytes()[..31].to_vec();
    assert_eq!(
        parsed(&format!("get timeout {long}")),
        TimeoutCommand::Get(cut.clone())
    );
    assert_eq!(
        parsed(&format!("timeout delete {long}")),
        TimeoutCommand::Delete(cut)
    );
    assert_eq!(parsed("get timeout "), TimeoutCommand::Get(Vec::new()));
}

#[test]
fn usage_errors_match_nfct() {
    for (words, sentence) in [
        ("list timeout x", "too many arguments"),
        ("flush timeout x", "too many arguments"),
        ("get timeout", "missing timeout policy name"),
        ("delete timeout a b", "too many arguments"),
        ("add timeout a ip udp unreplied 1", "unknown layer 3 protocol"),
        ("add timeout a inet 17 unreplied 1", "unknown layer 4 protocol"),
        ("add timeout a inet ICMPV6 timeout 1", "unknown layer 4 protocol"),
        (
            "add timeout a inet udp unreplied 1 x",
            "missing value for this timeout",
        ),
        (
            "add timeout a inet udp x 1 y",
            "Wrong state name: `x' for protocol `udp'",
        ),
        (
            "add timeout a inet esp timeout 1",
            "Wrong state name: `timeout' for protocol `esp'",
        ),
        (
            "add timeout a inet mptcp close 1",
            "Wrong state name: `close' for protocol `mptcp'",
        ),
        (
            "default-set timeout inet SCTP heartbeat_sent 1",
            "Wrong state name: `heartbeat_sent' for protocol `SCTP'",
        ),
        (
            "default-set timeout inet udp",
            "missing parameters\nsyntax: nfct default-set timeout family protocol state1 timeout1...",
        ),
        (
            "add timeout a inet",
            "missing parameters\nsyntax: nfct add timeout name family protocol state1 timeout1 ...",
        ),
        (
            "default-get timeout inet",
            "missing parameters\nsyntax: nfct default-get timeout family protocol",
        ),
        (
            "disable timeout",
            "Missing command\nnfct <list|add|delete|get|default-set|default-get|flush> timeout [<parameters>, ...]",
        ),
    ] {
        assert_eq!(text(words), format!("{sentence}\n"), "{words}");
    }
}

#[test]
fn a_missing_etc_protocols_matches_nfct() {
    let missing = || Err(io::Error::from_raw_os_error(libc::ENOENT));
    let nothing = "No such file or directory";
    assert_eq!(
        read("default-get timeout inet udp", missing()),
        Err(format!("unknown layer 4 protocol: {nothing}\n"))
    );
    assert_eq!(
        read("add timeout a inet generic timeout", missing()),
        Err(format!("missing value for this timeout: {nothing}\n"))
    );
    assert_eq!(
        read("default-get timeout inet generic", missing()),
        Ok(TimeoutCommand::GetDefaults(timeouts(2, 255, &[])))
    );
}
