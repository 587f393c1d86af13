//! Rules by which a documented command is run: its kind, its duration, its place and its exit code.

use std::process::Command;

use super::parser::{self, Documented};

/// Kinds of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `cargo …`: a guest has no sources. A unit test of xtask checks that xtask accepts the command line.
    Cargo,
    /// Attaches and detaches all programs one by one, which needs minutes while others do the same: it runs alone, and
    /// once for all pages.
    Alone,
    /// Watches for some time and changes nothing: several run at once, and each runs once for all pages.
    Watch,
    /// Ends by itself; commands of this kind run one after the other.
    Plain,
}

/// A documented command that does not simply end with exit code 0.
pub struct Exception {
    /// The command line.
    command: &'static str,
    /// Set for the place where the page shows its output.
    has_output: bool,
    /// The exit code.
    code: i32,
    /// The reason, for readers of this table.
    #[expect(dead_code, reason = "written for people")]
    reason: &'static str,
}

/// A watch that needs more than [`DURATION`].
struct Longer {
    /// Beginning of the command line.
    command: &'static str,
    duration: &'static str,
    #[expect(dead_code, reason = "written for people")]
    reason: &'static str,
}

/// Commands that end with another exit code than 0.
const EXCEPTIONS: &[Exception] = &[Exception {
    command: "nfct add timeout short-udp inet udp unreplied 5 replied 20",
    has_output: true,
    code: 1,
    reason: "the page shows the error of a second `add`; the list before it has added the policy",
}];

const LONGER: &[Longer] = &[Longer {
    command: "rsct timeout what-if udp unreplied=2",
    duration: "6s",
    reason: "the output lists a flow that sends a packet more than two seconds after the one before",
}];

/// Duration of a watch, whatever the duration in the page.
const DURATION: &str = "2s";
/// Number of reports of a command that prints one after each interval.
const REPORTS: &str = "2";
/// Programs that guests lack. A command line ends before the pipe to one, and only its JSON is validated.
const MISSING: [&str; 1] = ["jq"];
/// Attaches to each hook for a moment.
const DOCTOR: &str = "rsct doctor";
/// Commands that watch.
const WATCHES: &[&[&str]] = &[
    &["trace"],
    &["record"],
    &["metrics"],
    &["watch"],
    &["latency"],
    &["why"],
    &["timeout", "why"],
    &["timeout", "what-if"],
    &["expect", "watch"],
];

/// The kind of a command line.
pub fn kind(line: &str) -> Kind {
    let parts = parser::parts(line);
    if parts.iter().any(|part| part.command.starts_with("cargo ")) {
        Kind::Cargo
    } else if line == DOCTOR {
        Kind::Alone
    } else if parts.iter().any(|part| watches(part.command)) || reports(line) {
        Kind::Watch
    } else {
        Kind::Plain
    }
}

/// The exit code that the command has to have.
pub fn code(command: &Documented) -> i32 {
    let is_it = |exception: &&Exception| {
        exception.command == command.command && exception.has_output == command.shown.is_some()
    };
    let exception = EXCEPTIONS.iter().find(is_it);
    exception.map_or(0, |exception| exception.code)
}

/// The command line with a short duration for each command that watches, and an end for each that repeats a report.
pub fn shortened(line: &str) -> String {
    let short = |command: &str| {
        if watches(command) {
            with_duration(command)
        } else if reports(command) && !command.contains("--count") {
            format!("{command} --count {REPORTS}")
        } else {
            command.to_owned()
        }
    };
    let mut shortened = String::new();
    for part in parser::parts(without_missing(line)) {
        shortened += &format!("{} {} ", short(part.command), part.operator);
    }
    shortened.trim_end().to_owned()
}

/// The command line up to the pipe to a program that guests lack.
fn without_missing(line: &str) -> &str {
    let is_missing = |command: &str| {
        parser::words(command)
            .first()
            .is_some_and(|word| MISSING.contains(&word.as_str()))
    };
    let missing = parser::parts(line)
        .into_iter()
        .find(|part| is_missing(part.command));
    // The part is a piece of the line, so its address is its offset.
    missing.map_or(line, |part| {
        let at = part.command.as_ptr() as usize - line.as_ptr() as usize;
        line[..at].trim_end().trim_end_matches('|').trim_end()
    })
}

/// Returns whether the run has other output than the documented command, because a guest lacks a program of it.
pub fn is_cut(line: &str) -> bool {
    without_missing(line).len() < line.len()
}

/// The command of the line if it alone prints JSON, to be validated against its schema.
pub fn json(line: &str) -> Option<Command> {
    let parts = parser::parts(without_missing(line));
    let [part] = &parts[..] else { return None };
    let words = parser::words(part.command);
    let mut command = Command::new(words.first()?);
    command.args(&words[1..]);
    part.command.contains(" -o json").then_some(command)
}

fn watches(command: &str) -> bool {
    let words = parser::words(command);
    let is_rsct = words.first().is_some_and(|word| word == "rsct");
    let at_once = ["--causes", "--help", "--input"];
    let ends_at_once = words.iter().any(|word| at_once.contains(&word.as_str()));
    let is = |watch: &&[&str]| {
        words
            .iter()
            .skip(1)
            .map(String::as_str)
            .take(watch.len())
            .eq(watch.iter().copied())
    };
    is_rsct && !ends_at_once && WATCHES.iter().any(is)
}

fn reports(command: &str) -> bool {
    parser::words(command)[..].starts_with(&["rsct".to_owned(), "stats".to_owned()])
        && command.contains("--interval")
}

fn with_duration(command: &str) -> String {
    const OPTION: &str = " --duration ";
    let longer = LONGER.iter().find(|longer| command.starts_with(longer.command));
    let duration = longer.map_or(DURATION, |longer| longer.duration);
    if let Some((before, rest)) = command.split_once(OPTION) {
        let (old, after) = rest
            .split_once(' ')
            .map_or((rest, ""), |(old, after)| (old, after));
        // A watch of no time prints what exists, and ends.
        let duration = if old == "0s" { old } else { duration };
        return format!("{before}{OPTION}{duration} {after}")
            .trim_end()
            .to_owned();
    }
    // `rsct why FLOW`: every word after the first one of the flow belongs to it.
    match command.strip_prefix("rsct why ") {
        Some(rest) if rest.contains('=') => format!("rsct why{OPTION}{duration} {rest}"),
        _ => format!("{command}{OPTION}{duration}"),
    }
}

/// The text with the generated names of scenarios' namespaces (`rsct-136-2-server`) reduced to their roles.
pub fn renamed(text: &str) -> String {
    const PREFIX: &str = "rsct-";
    let mut renamed = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(PREFIX) {
        let (before, name) = rest.split_at(at);
        renamed.push_str(before);
        let role = name[PREFIX.len()..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        let is_generated = name[PREFIX.len()..].starts_with(|c: char| c.is_ascii_digit());
        rest = if is_generated {
            role
        } else {
            renamed.push_str(PREFIX);
            &name[PREFIX.len()..]
        };
    }
    renamed + rest
}

/// The command line in the namespace that it is about. `ip route get` names interfaces of a router.
pub fn placed(line: &str) -> String {
    let line = renamed(line);
    if line.starts_with("ip route get ") {
        format!("ip netns exec router-a {line}")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_recognised() {
        for (line, expected) in [
            ("cargo xtask build", Kind::Cargo),
            ("rsct timeout what-if tcp established=1h", Kind::Watch),
            ("rsct why", Kind::Watch),
            ("rsct why --causes", Kind::Plain),
            ("rsct stats --interval 1s", Kind::Watch),
            ("rsct doctor", Kind::Alone),
            ("rsct stats", Kind::Plain),
            ("rsct timeout show", Kind::Plain),
            ("rsct timeout why > file; ls", Kind::Watch),
            ("dmesg | grep 'rsct trace'", Kind::Plain),
        ] {
            assert_eq!(kind(line), expected, "{line}");
        }
    }

    #[test]
    fn json_of_one_command_is_validated() {
        let words = |line: &str| {
            let command = json(line)?;
            let all = std::iter::once(command.get_program()).chain(command.get_args());
            Some(
                all.map(|word| word.to_string_lossy().into_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let list = ["rsct", "list", "-o", "json"].map(str::to_owned);
        assert_eq!(words("rsct list -o json").as_deref(), Some(&list[..]));
        assert_eq!(
            words("rsct list -o json | jq -c '.a | .b'").as_deref(),
            Some(&list[..])
        );
        for other in [
            "rsct list",
            "rsct list -o json | wc -l",
            "rsct list -o json > file; ls",
        ] {
            assert_eq!(words(other), None, "{other}");
        }
    }

    #[test]
    fn generated_names_are_reduced_to_their_roles() {
        assert_eq!(
            placed("rsct list --netns rsct-136-2-server > rsct-tests"),
            "rsct list --netns server > rsct-tests"
        );
        assert_eq!(
            placed("ip route get 10.0.0.1"),
            "ip netns exec router-a ip route get 10.0.0.1"
        );
    }

    #[test]
    fn an_exception_is_a_documented_command() {
        let all = super::super::all().unwrap();
        for exception in EXCEPTIONS {
            let is_it = |command: &&Documented| code(command) == exception.code;
            assert!(all.iter().any(|command| is_it(&command)), "{}", exception.command);
        }
    }

    #[test]
    fn the_exit_code_of_every_documented_command_counts() {
        for command in super::super::all().unwrap() {
            let line = without_missing(&command.command);
            let parts = parser::parts(line);
            let is_ours = |part: &parser::Part<'_>| {
                let words = parser::words(part.command);
                let first = words.first().map(String::as_str);
                matches!(first, Some("rsct" | "conntrack" | "nfct"))
            };
            // A shell returns the exit code of a pipe's last command, and of the last command after `;` or `||`.
            let hidden = parts
                .iter()
                .find(|part| is_ours(part) && !["", "&&"].contains(&part.operator));
            assert!(hidden.is_none(), "{}:{}: {hidden:?}", command.page, command.line);
            let is_cut = is_cut(&command.command);
            assert!(
                !is_cut || json(&command.command).is_some(),
                "{}:{}: its output is not validated",
                command.page,
                command.line
            );
            let is_cargo = kind(&command.command) == Kind::Cargo;
            assert!(!is_cargo || parts.len() == 1, "{}:{}", command.page, command.line);
        }
    }

    #[test]
    fn watches_are_shortened() {
        for (line, expected) in [
            ("rsct trace", "rsct trace --duration 2s"),
            (
                "rsct why delete --input fault.rsct",
                "rsct why delete --input fault.rsct",
            ),
            (
                "rsct trace --duration 1m --table",
                "rsct trace --duration 2s --table",
            ),
            ("rsct timeout why --duration 0s", "rsct timeout why --duration 0s"),
            (
                "rsct why udp src=10.0.0.1",
                "rsct why --duration 2s udp src=10.0.0.1",
            ),
            (
                "rsct why invalid -p tcp; ls",
                "rsct why invalid -p tcp --duration 2s ; ls",
            ),
            ("rsct stats --interval 1s", "rsct stats --interval 1s --count 2"),
            (
                "rsct timeout what-if udp unreplied=2",
                "rsct timeout what-if udp unreplied=2 --duration 6s",
            ),
            ("rsct list", "rsct list"),
            (
                "rsct trace -o json | jq '.a | .b'",
                "rsct trace -o json --duration 2s",
            ),
        ] {
            assert_eq!(shortened(line), expected);
        }
    }
}
