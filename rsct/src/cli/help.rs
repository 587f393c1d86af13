//! Help of rsct itself: its commands in groups, and the command for each question.

use std::fmt::Write as _;

use clap::Command;

/// Headings, and the commands below each.
const GROUPS: [(&str, &[&str]); 5] = [
    (
        "Observe",
        &["trace", "top", "record", "metrics", "watch", "latency", "why"],
    ),
    (
        "Table",
        &[
            "list", "get", "count", "stats", "create", "update", "delete", "flush", "load", "save", "expect",
        ],
    ),
    ("Timeouts and settings", &["timeout", "sysctl"]),
    ("Recordings", &["report", "export", "recording"]),
    (
        "Setup",
        &["doctor", "install-links", "completions", "man", "schema"],
    ),
];

/// The end of `rsct --help`.
pub(super) const QUESTIONS: &str = "\
Questions:
  Why does insert_failed grow?                          rsct why insert
  Which packets are INVALID, and why?                   rsct why invalid
  Which program or function deleted my entry?           rsct why delete
  How late does garbage collection delete entries?      rsct latency
  How long does a packet spend in nf_conntrack_in?      rsct latency
  Is there lock contention when entries are confirmed?  rsct latency
  How did a clash end, and which entry does it hide?    rsct why insert
  Which policy, sysctl or program set this timeout?     rsct timeout why
  How long did NAT search for a port?                   rsct why nat
  Which entries fill the table, and which are evicted?  rsct why full
  Which events did netlink lose?                        rsct why lost
  Which namespace and zone have this flow's entry?      rsct list --netns all
  Why does an entry stay UNREPLIED?                     rsct why unreplied
  By how much did a segment miss the TCP window?        rsct why invalid
  A SYN arrived, but no entry exists: where did it end? rsct why drop

Examples:
  rsct trace -p tcp --dport 443
  rsct list -p udp -o wide
  rsct why insert --duration 60s";

/// The command with its subcommands built, which its help lists by group.
pub(super) fn grouped(mut command: Command) -> Command {
    command.build();
    let template = template(&command);
    command.help_template(template)
}

/// clap has no groups of subcommands: a template lists them with the first line of each.
fn template(command: &Command) -> String {
    let style = command.get_styles();
    let (header, header_end) = (style.get_header().render(), style.get_header().render_reset());
    let (literal, literal_end) = (style.get_literal().render(), style.get_literal().render_reset());
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    let width = names.map(|name| name.len()).max().unwrap_or(0);
    let mut text = "{about-with-newline}\n{usage-heading} {usage}\n\n".to_owned();
    for (heading, names) in GROUPS {
        // Writing to a String can't fail, here and below.
        let _ = writeln!(text, "{header}{heading}:{header_end}");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{name:width$}{literal_end}  {about}");
        }
        text.push('\n');
    }
    let _ = write!(text, "{header}Options:{header_end}\n{{options}}{{after-help}}");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::{Arg, CommandFactory as _};

    use super::*;
    use crate::cli::Cli;

    fn all() -> Command {
        grouped(Cli::command())
    }

    /// Calls `visit` with each command and its name, such as `rsct expect list`.
    fn walk(command: &Command, name: &str, visit: &mut impl FnMut(&Command, &str)) {
        visit(command, name);
        for below in command.get_subcommands() {
            walk(below, &format!("{name} {}", below.get_name()), visit);
        }
    }

    fn each(mut visit: impl FnMut(&Command, &str)) {
        walk(&all(), "rsct", &mut visit);
    }

    fn short_help(arg: &Arg) -> String {
        arg.get_help().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn every_command_is_in_one_group() {
        let command = all();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let mut names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        grouped.sort_unstable();
        names.sort_unstable();
        assert_eq!(grouped, names);
    }

    #[test]
    fn help_lists_each_command_with_its_first_line() {
        for text in [
            all().render_help().to_string(),
            all().render_long_help().to_string(),
        ] {
            for below in all().get_subcommands() {
                let about = below.get_about().unwrap().to_string();
                let is_its = |line: &&str| {
                    line.trim_start()
                        .strip_prefix(below.get_name())
                        .is_some_and(|rest| rest.starts_with("  ") && rest.trim() == about)
                };
                assert_eq!(
                    text.lines().filter(is_its).count(),
                    1,
                    "{}:\n{text}",
                    below.get_name()
                );
            }
            for (heading, _) in GROUPS {
                assert!(text.contains(&format!("\n{heading}:\n")), "{text}");
            }
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
    }

    #[test]
    fn first_lines_are_short_imperatives() {
        each(|command, name| {
            let about = command
                .get_about()
                .unwrap_or_else(|| panic!("{name} has no help"));
            let about = about.to_string();
            is_first_line(&about, name);
            let verb = about.split(' ').next().unwrap_or_default();
            assert!(
                verb.chars().next().is_some_and(char::is_uppercase) && !verb.ends_with('s'),
                "{name}: {about}"
            );
        });
    }

    fn is_first_line(line: &str, name: &str) {
        assert!(!line.is_empty() && line.chars().count() <= 80, "{name}: {line}");
        assert!(!line.ends_with('.') && !line.contains('\n'), "{name}: {line}");
    }

    #[test]
    fn every_argument_has_help() {
        each(|command, name| {
            for arg in command.get_arguments() {
                let name = format!("{name} {}", arg.get_id());
                is_first_line(&short_help(arg), &name);
                assert!(
                    short_help(arg).starts_with(|char: char| char.is_uppercase()),
                    "{name}"
                );
            }
        });
    }

    #[test]
    fn shared_options_have_one_wording() {
        let shared = [
            "output",
            "duration",
            "netns",
            "attach",
            "interval",
            "count",
            "dry-run",
            "show-hooks",
            "explain",
        ];
        let mut wordings: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        each(|command, name| {
            for arg in command.get_arguments() {
                let long = arg.get_long().unwrap_or_default();
                if shared.contains(&long) && long != "explain" {
                    assert_eq!(arg.get_help_heading(), None, "{name} --{long}");
                }
                // The counts of these are of intervals.
                let is_of_intervals = long == "count" && ["rsct stats", "rsct top"].contains(&name);
                if shared.contains(&long) && !is_of_intervals {
                    let help = short_help(arg);
                    // A default that is none of clap's.
                    let help = help.split(" [default").next().unwrap_or_default().to_owned();
                    let wording = (help, name.to_owned());
                    wordings.entry(long.to_owned()).or_default().extend([wording]);
                }
            }
        });
        assert_eq!(wordings.len(), shared.len());
        for (option, wordings) in wordings {
            assert_eq!(wordings.len(), 1, "--{option}: {wordings:?}");
        }
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        each(|command, name| {
            let text = command.get_after_long_help().map(ToString::to_string);
            let text = text.unwrap_or_else(|| panic!("{name} has no examples"));
            let (_, examples) = text
                .split_once("Examples:\n")
                .unwrap_or_else(|| panic!("{name} has no examples"));
            assert!(
                examples.lines().all(|line| line.chars().count() <= 80),
                "{examples}"
            );
            let joined = examples.replace("\\\n", " ");
            assert!((2..=3).contains(&joined.lines().count()), "{name}: {examples}");
            for line in joined.lines() {
                let calls: Vec<&str> = line.split('|').map(str::trim).collect();
                assert!(line.starts_with("  "), "{line}");
                assert!(calls.iter().any(|call| call.starts_with(name)), "{name}: {line}");
                for call in calls.iter().filter(|call| call.starts_with("rsct ")) {
                    let words = call.split_whitespace().take_while(|word| *word != ">");
                    if let Err(error) = all().try_get_matches_from(words) {
                        panic!("{line}: {error}");
                    }
                }
            }
        });
    }

    #[test]
    fn questions_name_commands_and_are_those_of_the_page() {
        let questions = QUESTIONS
            .split_once("\n\n")
            .map_or("", |(questions, _)| questions);
        let page = include_str!("../../../docs/questions.md").replace('`', "");
        let mut number = 0;
        for line in questions.lines().skip(1) {
            let (question, words) = line.trim().split_once("? ").unwrap();
            if let Err(error) = all().try_get_matches_from(words.split_whitespace()) {
                panic!("{line}: {error}");
            }
            number += 1;
            assert!(page.contains(&format!("\n## {number}. {question}?\n")), "{line}");
        }
        assert_eq!(number, 15);
    }
}
