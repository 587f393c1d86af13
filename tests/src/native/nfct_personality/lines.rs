//! The grid.

use std::fs;

use super::lab::CommandLine;
use crate::native::grid;

const COMMANDS: [&str; 8] = [
    "list",
    "add",
    "delete",
    "get",
    "flush",
    "disable",
    "default-set",
    "default-get",
];
const SUBSYSTEMS: [&str; 4] = ["timeout", "helper", "version", "help"];
const FAMILIES: [&str; 2] = ["inet", "inet6"];
const PROTOCOLS: &[(&str, &[&str])] = &[
    (
        "tcp",
        &[
            "syn_sent",
            "syn_recv",
            "established",
            "fin_wait",
            "close_wait",
            "last_ack",
            "time_wait",
            "close",
            "syn_sent2",
            "retrans",
            "unacknowledged",
        ],
    ),
    ("udp", &["unreplied", "replied"]),
    ("udplite", &["unreplied", "replied"]),
    ("icmp", &["timeout"]),
    ("icmpv6", &["timeout"]),
    (
        "sctp",
        &[
            "closed",
            "cookie_wait",
            "cookie_echoed",
            "established",
            "shutdown_sent",
            "shutdown_recd",
            "shutdown_ack_sent",
        ],
    ),
    (
        "dccp",
        &[
            "request", "respond", "partopen", "open", "closereq", "closing", "timewait",
        ],
    ),
    ("gre", &["unreplied", "replied"]),
    ("generic", &["timeout"]),
];
/// Names that no protocol has for a state.
const STRANGE_STATES: [&str; 4] = ["heartbeat_sent", "", "timeouts", "UNKNOWN"];
/// Names that are in no `/etc/protocols`, and some that are.
const STRANGE_PROTOCOLS: [&str; 9] = ["", "6", "Tcp", "TCP", "raw", "none", "ICMPV6", "mptcp", "esp"];
const HELPERS: [&str; 13] = [
    "amanda", "dhcpv6", "ftp", "mdns", "rpc", "sane", "slp", "ssdp", "tftp", "tns", "irc", "", "FTP",
];

fn line(text: &str) -> CommandLine {
    grid::words(text).into_iter().map(String::into_bytes).collect()
}

/// The first of the words: none of them, one, two, …
fn more_and_more(start: &str, words: &[&str]) -> Vec<CommandLine> {
    (0..=words.len())
        .map(|count| {
            let mut line = line(start);
            line.extend(words[..count].iter().map(|word| word.as_bytes().to_vec()));
            line
        })
        .collect()
}

/// Every prefix of a word, the empty one, and one that is longer than the word.
fn beginnings(word: &str) -> Vec<String> {
    let mut all: Vec<String> = (0..=word.len()).map(|end| word[..end].to_owned()).collect();
    all.push(format!("{word}x"));
    all.push(word.to_uppercase());
    all
}

/// The two words in front, and a number of words after them.
pub fn words() -> Vec<CommandLine> {
    let mut lines = vec![vec![], line("list"), line("timeout"), line("x")];
    let mut pair = |first: &str, second: &str| {
        for (first, second) in [(first, second), (second, first)] {
            lines.push([first, second].map(|word| word.as_bytes().to_vec()).to_vec());
        }
    };
    for command in COMMANDS {
        for beginning in beginnings(command) {
            for subsystem in ["timeout", "version"] {
                pair(&beginning, subsystem);
            }
        }
    }
    for subsystem in SUBSYSTEMS {
        for beginning in beginnings(subsystem) {
            for command in ["list", "default-get"] {
                pair(command, &beginning);
            }
        }
    }
    for first in COMMANDS.iter().chain(&SUBSYSTEMS) {
        for second in COMMANDS.iter().chain(&SUBSYSTEMS).chain(&["x"]) {
            lines.push([*first, *second].map(|word| word.as_bytes().to_vec()).to_vec());
        }
    }
    for command in COMMANDS {
        let timeouts = ["n", "inet", "udp", "unreplied", "5", "replied", "6", "x"];
        let helpers = ["ftp", "inet", "tcp", "x", "y"];
        for [first, second] in [[command, "timeout"], ["timeout", command]] {
            lines.extend(more_and_more(&format!("{first} {second}"), &timeouts));
            lines.extend(more_and_more(&format!("{first} {second}"), &timeouts[1..]));
        }
        for [first, second] in [[command, "helper"], ["helper", command]] {
            lines.extend(more_and_more(&format!("{first} {second}"), &helpers));
        }
    }
    lines
}

/// A policy is made, shown, made once more, and deleted.
fn a_policy_of(family: &str, protocol: &str, states: &str) -> Vec<CommandLine> {
    let make = format!("add timeout p {family} {protocol} {states}");
    [&make, "get timeout p", &make, "delete timeout p"]
        .map(line)
        .into()
}

/// Names and aliases in `/etc/protocols`.
fn listed_protocols() -> Vec<String> {
    let text = fs::read("/etc/protocols").unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(|line| {
            let words = line.split_whitespace().enumerate();
            words
                .filter(|(index, _)| *index != 1)
                .map(|(_, word)| word.to_owned())
        })
        .collect()
}

/// Every protocol and each of its states.
fn protocols(families: &[&str]) -> Vec<CommandLine> {
    let mut lines = Vec::new();
    for family in families {
        for (protocol, states) in PROTOCOLS {
            lines.push(line(&format!("default-get timeout {family} {protocol}")));
            lines.extend(a_policy_of(family, protocol, ""));
            for (index, state) in states.iter().enumerate() {
                lines.extend(a_policy_of(family, protocol, &format!("{state} {}", index + 7)));
                let upper = state.to_uppercase();
                lines.push(line(&format!(
                    "default-set timeout {family} {protocol} {upper} {}",
                    index + 70
                )));
            }
            let all: Vec<String> = states.iter().rev().map(|state| format!("{state} 5")).collect();
            lines.extend(a_policy_of(family, protocol, &all.join(" ")));
            lines.push(line(&format!("timeout default-get {family} {protocol}")));
        }
    }
    lines
}

/// Policies and defaults.
pub fn timeouts() -> Vec<CommandLine> {
    let mut lines = protocols(&FAMILIES);
    for (protocol, _) in PROTOCOLS {
        let others = PROTOCOLS.iter().flat_map(|(_, states)| states.iter());
        for state in others.chain(&STRANGE_STATES) {
            lines.push(line(&format!("default-set timeout inet {protocol} '{state}' 9")));
        }
    }
    let listed = listed_protocols();
    let strange = STRANGE_PROTOCOLS.map(str::to_owned);
    for protocol in listed.iter().chain(&strange) {
        lines.push(line(&format!("default-get timeout inet '{protocol}'")));
        lines.push(line(&format!("add timeout p inet6 '{protocol}' timeout 9")));
        lines.push(line(&format!("add timeout p inet6 '{protocol}'")));
    }
    for family in ["", "ip", "ipv4", "INET", "inet4", "unspec", "2", "inet6x"] {
        for command in ["add timeout p", "default-set timeout", "default-get timeout"] {
            lines.push(line(&format!("{command} '{family}' udp unreplied 5")));
        }
    }
    lines.extend(grid::lines(include_str!("policies.txt")).map(line));
    lines.extend(strange_names());
    lines
}

/// Names are any bytes, at most 31.
fn strange_names() -> Vec<CommandLine> {
    let names: [&[u8]; 6] = [b"", b" ", b"\xff\xfe", b"two\nlines", "é".as_bytes(), b"%s%n"];
    let mut names: Vec<Vec<u8>> = names.map(<[u8]>::to_vec).into();
    names.extend([30, 31, 32, 40, 200].map(|length| vec![b'n'; length]));
    // The last byte that fits is the first half of a letter.
    names.push(["n".repeat(30), "é".to_owned()].concat().into_bytes());
    let mut lines = Vec::new();
    for name in &names {
        for (before, behind) in [
            ("add timeout", "inet udp unreplied 5"),
            ("get timeout", ""),
            ("list timeout", ""),
            ("delete timeout", ""),
        ] {
            let mut words = line(before);
            if !before.starts_with("list") {
                words.push(name.clone());
            }
            words.extend(line(behind));
            lines.push(words);
        }
    }
    lines
}

/// Helpers in user space.
pub fn helpers() -> Vec<CommandLine> {
    let mut lines = Vec::new();
    for helper in HELPERS {
        for family in FAMILIES {
            for protocol in ["tcp", "udp"] {
                lines.push(line(&format!("add helper '{helper}' {family} {protocol}")));
            }
        }
        lines.push(line(&format!("get helper '{helper}'")));
    }
    lines.extend(grid::lines(include_str!("helpers.txt")).map(line));
    lines
}

/// Lines whose result depends on the kernel, where each process needs its time.
pub fn of_the_kernel() -> Vec<CommandLine> {
    let mut lines = Vec::new();
    for (family, (protocol, states)) in FAMILIES.iter().cycle().zip(PROTOCOLS) {
        let all: Vec<String> = states
            .iter()
            .zip(7..)
            .map(|(state, n)| format!("{state} {n}"))
            .collect();
        let all = all.join(" ");
        lines.push(line(&format!("default-get timeout {family} {protocol}")));
        lines.extend(a_policy_of(family, protocol, &format!("{} 5", states[0])));
        lines.push(line(&format!("default-set timeout {family} {protocol} {all}")));
        lines.push(line(&format!("default-get timeout {family} {protocol}")));
    }
    for (protocol, helpers) in [
        ("tcp", &["ftp", "rpc", "sane", "ssdp", "tns"][..]),
        ("udp", &["amanda", "dhcpv6", "mdns", "rpc", "slp", "ssdp", "tftp"]),
    ] {
        for helper in helpers {
            lines.push(line(&format!("add helper {helper} inet6 {protocol}")));
        }
    }
    lines.extend(grid::lines(include_str!("helpers.txt")).map(line));
    lines
}
