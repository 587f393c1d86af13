//! `nfct … helper`: user-space helpers.

use super::{
    command::{Command, CommandLine},
    known::{self, KnownHelper},
    problem::Problem,
    words,
};
use crate::{
    names::proto::{TCP, UDP},
    netlink::{
        Socket,
        helper::{self, Flows, Helper},
    },
    render,
};

/// Longest name, without the zero byte.
const NAME_BYTES: usize = 15;

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
enum HelperCommand {
    List,
    Flush,
    Get(Vec<u8>, Option<Flows>),
    Delete(Vec<u8>, Option<Flows>),
    Add(Helper),
    Disable(Helper),
}

/// Executes a command line and returns its output.
pub(super) async fn execute(socket: &mut Socket, line: &CommandLine<'_>) -> Result<Vec<u8>, Problem> {
    let printed = match parse(line)? {
        HelperCommand::List => helper::list(socket).await,
        HelperCommand::Get(name, flows) => helper::get(socket, &name, flows)
            .await
            .map(|found| found.into_iter().collect()),
        HelperCommand::Flush => helper::flush(socket).await.map(|()| Vec::new()),
        HelperCommand::Delete(name, flows) => helper::delete(socket, &name, flows).await.map(|()| Vec::new()),
        HelperCommand::Add(new) => helper::create(socket, &new).await.map(|()| Vec::new()),
        HelperCommand::Disable(Helper { name, flows, .. }) => {
            helper::disable(socket, &name, flows).await.map(|()| Vec::new())
        }
    };
    let helpers = printed.map_err(|error| Problem::refused(&error))?;
    let mut out = Vec::new();
    for helper in &helpers {
        render::nfct::helper(&mut out, helper);
    }
    Ok(out)
}

/// Parses the command line; the error is nfct's message.
fn parse(line: &CommandLine<'_>) -> Result<HelperCommand, Problem> {
    let nothing = |command| match line.parameters {
        [] => Ok(command),
        _ => Err(words::too_many()),
    };
    match line.command {
        Command::List => nothing(HelperCommand::List),
        Command::Flush => nothing(HelperCommand::Flush),
        Command::Get => one(line.parameters).map(|(name, flows)| HelperCommand::Get(name, flows)),
        Command::Delete => one(line.parameters).map(|(name, flows)| HelperCommand::Delete(name, flows)),
        Command::Add => known(line, "add").map(HelperCommand::Add),
        Command::Disable => known(line, "disable").map(HelperCommand::Disable),
        Command::DefaultSet | Command::DefaultGet => {
            // nfct names the second word, even if that one is the subsystem.
            let unknown = Problem::new([b"Unknown command: ", line.second].concat());
            let missing = Problem::new("Missing command");
            let usage = b" helper list|add|delete|disable|get|flush [parameters...]\n";
            Err(unknown.append(&[missing.bytes(), line.program, usage]))
        }
    }
}

/// A name, and the condition on family and protocol after it.
fn one(parameters: &[&[u8]]) -> Result<(Vec<u8>, Option<Flows>), Problem> {
    let (name, family, protocol) = match *parameters {
        [] => return Err(Problem::new("missing helper policy name")),
        [name] => (name, None, None),
        [name, family] => (name, Some(family), None),
        [name, family, protocol] => (name, Some(family), Some(protocol)),
        _ => return Err(words::too_many()),
    };
    let flows = match family {
        None => None,
        Some(family) => Some(Flows {
            l3proto: words::family(family)?,
            // The kernel ignores protocol 0, which no helper has.
            l4proto: protocol.map(l4proto).transpose()?.unwrap_or(0),
        }),
    };
    Ok((words::name(name, NAME_BYTES), flows))
}

/// A helper known to nfct, for the given family. Further words are ignored.
fn known(line: &CommandLine<'_>, command: &str) -> Result<Helper, Problem> {
    let [name, family, protocol, ..] = *line.parameters else {
        return Err(words::missing(&format!("{command} helper name family protocol")));
    };
    let (l3proto, l4proto) = (words::family(family)?, l4proto(protocol)?);
    known::find(name, l4proto)
        .map(|known: &KnownHelper| known.helper(l3proto))
        .ok_or_else(|| Problem::new("that helper is not supported"))
}

fn l4proto(typed: &[u8]) -> Result<u8, Problem> {
    match typed {
        b"tcp" => Ok(TCP),
        b"udp" => Ok(UDP),
        _ => Err(Problem::new("unsupported layer 4 protocol")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<HelperCommand, String> {
        let words: Vec<&[u8]> = std::iter::once("nfct")
            .chain(words.split(' '))
            .map(str::as_bytes)
            .collect();
        let line = CommandLine::parse(&words).map_err(|problem| problem.text())?;
        parse(&line).map_err(|problem| problem.text())
    }

    #[test]
    fn helpers_are_read_as_nfct_reads_them() {
        let flows = |l3proto, l4proto| Some(Flows { l3proto, l4proto });
        for (words, name, flows) in [
            ("get helper ftp", &b"ftp"[..], None),
            ("get helper ftp inet", b"ftp", flows(2, 0)),
            ("get helper x inet6 udp", b"x", flows(10, 17)),
            ("get helper 0123456789abcdef0", b"0123456789abcde", None),
        ] {
            assert_eq!(
                read(words),
                Ok(HelperCommand::Get(name.to_vec(), flows)),
                "{words}"
            );
        }
        let Ok(HelperCommand::Add(helper)) = read("helper add ssdp inet6 udp and more") else {
            panic!("ssdp is known");
        };
        let policy = &helper.policies[0];
        assert_eq!((policy.max, policy.timeout_s), (8, 300));
        assert_eq!(helper.flows, flows(10, 17).unwrap_or_default());
    }

    #[test]
    fn usage_errors_match_nfct() {
        let usage = "Missing command\nnfct helper list|add|delete|disable|get|flush [parameters...]";
        for (words, sentence) in [
            ("list helper x", "too many arguments"),
            ("flush helper x", "too many arguments"),
            ("get helper", "missing helper policy name"),
            ("delete helper", "missing helper policy name"),
            ("delete helper a inet tcp x", "too many arguments"),
            ("delete helper a ip", "unknown layer 3 protocol"),
            ("get helper a inet icmp", "unsupported layer 4 protocol"),
            (
                "add helper ftp inet",
                "missing parameters\nsyntax: nfct add helper name family protocol",
            ),
            (
                "disable helper",
                "missing parameters\nsyntax: nfct disable helper name family protocol",
            ),
            ("add helper ftp inet udp", "that helper is not supported"),
            ("disable helper irc inet tcp", "that helper is not supported"),
            ("default-set helper", &format!("Unknown command: helper\n{usage}")),
            ("helper def", &format!("Unknown command: def\n{usage}")),
        ] {
            assert_eq!(read(words), Err(format!("{sentence}\n")), "{words}");
        }
    }
}
