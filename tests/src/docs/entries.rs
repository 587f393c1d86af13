//! Entries and packets that the documented commands are about, read from their options.

use std::collections::BTreeSet;

use super::parser::{self, Documented};

/// Conditions on an entry in a command's options, or in a flow as `conntrack -L` prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    pub proto: String,
    pub src: Option<String>,
    pub dst: Option<String>,
    pub sport: Option<u16>,
    pub dport: Option<u16>,
}

/// Entries of a machine that is in use.
const USUAL: &str = "\
-A -t 100 -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1001 --dport 2001
-A -t 200 -u SEEN_REPLY,ASSURED -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1002 --dport 2002
-A -t 300 -u SEEN_REPLY,ASSURED -s 10.0.0.1 -d 10.0.0.2 -p tcp --sport 1003 --dport 2003 --state ESTABLISHED
-A -t 100 -s 10.0.0.1 -d 10.0.0.2 -p tcp --sport 1004 --dport 2004 --state SYN_SENT
-A -t 100 -s fd00::1 -d fd00::2 -p udp --sport 1005 --dport 2005
";

/// Conditions of all commands.
pub fn wanted(commands: &[Documented]) -> BTreeSet<Wanted> {
    let parts = commands
        .iter()
        .flat_map(|command| parser::parts(&command.command));
    parts
        .filter_map(|part| of(&parser::words(part.command)))
        .collect()
}

fn of(words: &[String]) -> Option<Wanted> {
    let creates = words
        .iter()
        .any(|word| ["create", "add", "-I", "attach"].contains(&word.as_str()));
    if creates || !["rsct", "conntrack"].contains(&words.first()?.as_str()) {
        return None;
    }
    let mut wanted = Wanted::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name @ ("src" | "dst" | "sport" | "dport"), value)) => (name, Some(value)),
            _ => (word, None),
        };
        let mut value = || value.or_else(|| words.next());
        // A prefix has the address that it begins with.
        let mut address = || Some(value()?.split('/').next()?.to_owned());
        match name {
            "-s" | "--src" | "src" => wanted.src = address(),
            "-d" | "--dst" | "dst" => wanted.dst = address(),
            "--sport" | "sport" => wanted.sport = value()?.parse().ok(),
            "--dport" | "dport" => wanted.dport = value()?.parse().ok(),
            "-p" | "--proto" => value()?.clone_into(&mut wanted.proto),
            "tcp" | "udp" => name.clone_into(&mut wanted.proto),
            _ => {}
        }
    }
    (wanted != Wanted::default() && ["", "tcp", "udp"].contains(&wanted.proto.as_str())).then_some(wanted)
}

impl Wanted {
    /// A line for `rsct load` that creates such an entry.
    fn line(&self) -> String {
        let udp = "udp".to_owned();
        let proto = if self.proto.is_empty() { &udp } else { &self.proto };
        let state = if proto == "tcp" {
            " -u SEEN_REPLY,ASSURED --state ESTABLISHED"
        } else {
            ""
        };
        format!(
            "-A -t 600 -s {} -d {} -p {proto} --sport {} --dport {}{state}\n",
            self.src.as_deref().unwrap_or("10.0.0.1"),
            self.dst.as_deref().unwrap_or("10.0.0.2"),
            self.sport.unwrap_or(1000),
            self.dport.unwrap_or(2000),
        )
    }
}

/// A file for `rsct load` with an entry for each command, and some more.
pub fn table(wanted: &BTreeSet<Wanted>) -> String {
    let lines = wanted.iter().map(Wanted::line);
    USUAL.to_owned() + &lines.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(command: &str) -> Option<String> {
        of(&parser::words(command)).map(|wanted| wanted.line())
    }

    #[test]
    fn options_and_flows_are_read() {
        for (command, expected) in [
            (
                "rsct get -p tcp -s 10.0.0.7 --dport 443",
                "-A -t 600 -s 10.0.0.7 -d 10.0.0.2 -p tcp --sport 1000 --dport 443 -u SEEN_REPLY,ASSURED \
                 --state ESTABLISHED\n",
            ),
            (
                "rsct why udp src=10.0.0.1 dst=10.0.0.3 sport=5000 dport=53",
                "-A -t 600 -s 10.0.0.1 -d 10.0.0.3 -p udp --sport 5000 --dport 53\n",
            ),
            (
                "conntrack -L -s 10.0.0.0/8",
                "-A -t 600 -s 10.0.0.0 -d 10.0.0.2 -p udp --sport 1000 --dport 2000\n",
            ),
        ] {
            assert_eq!(line(command).as_deref(), Some(expected));
        }
        for other in [
            "rsct list",
            "rsct create -p udp --sport 1",
            "ip route get 10.0.0.1",
            "rsct list -p gre",
        ] {
            assert_eq!(line(other), None, "{other}");
        }
    }
}
