//! `nfct … timeout`: timeout policies, and the defaults of protocols.

use std::{collections::BTreeMap, io};

use super::{
    command::{Command, CommandLine},
    problem::Problem,
    words,
};
use crate::{
    clib::{number::atoi, protocols},
    names::proto,
    netlink::{
        Socket,
        timeout::{self, Policy, Timeouts},
    },
    render,
    timeouts::{GENERIC, State},
};

/// Longest name, without the zero byte.
const NAME_BYTES: usize = 31;

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
enum TimeoutCommand {
    List,
    Flush,
    Get(Vec<u8>),
    Delete(Vec<u8>),
    Add(Vec<u8>, Timeouts),
    SetDefaults(Timeouts),
    GetDefaults(Timeouts),
}

/// Executes a command line and returns its output.
pub(super) async fn execute(socket: &mut Socket, line: &CommandLine<'_>) -> Result<Vec<u8>, Problem> {
    let command = parse(line, protocols::text)?;
    let printed = match &command {
        TimeoutCommand::List => timeout::list(socket).await,
        TimeoutCommand::Get(name) => timeout::get(socket, name).await.map(|policy| vec![policy]),
        TimeoutCommand::GetDefaults(Timeouts { l3proto, l4proto, .. }) => {
            timeout::defaults(socket, *l3proto, *l4proto)
                .await
                .map(|timeouts| vec![nameless(timeouts)])
        }
        TimeoutCommand::Flush => timeout::flush(socket).await.map(|()| Vec::new()),
        TimeoutCommand::Delete(name) => timeout::delete(socket, name).await.map(|()| Vec::new()),
        TimeoutCommand::Add(name, timeouts) => {
            timeout::create(socket, name, timeouts).await.map(|()| Vec::new())
        }
        TimeoutCommand::SetDefaults(timeouts) => {
            timeout::set_defaults(socket, timeouts).await.map(|()| Vec::new())
        }
    };
    let policies = printed.map_err(|error| Problem::refused(&error))?;
    let mut out = Vec::new();
    for policy in &policies {
        render::nfct::policy(&mut out, policy);
    }
    Ok(out)
}

fn nameless(timeouts: Timeouts) -> Policy {
    Policy {
        name: None,
        timeouts,
        uses: None,
    }
}

/// Parses the command line; the error is nfct's message.
fn parse(
    line: &CommandLine<'_>,
    etc_protocols: impl FnOnce() -> io::Result<String>,
) -> Result<TimeoutCommand, Problem> {
    let one_name = || match line.parameters {
        [] => Err(Problem::new("missing timeout policy name")),
        [name] => Ok(words::name(name, NAME_BYTES)),
        _ => Err(words::too_many()),
    };
    let nothing = |command| match line.parameters {
        [] => Ok(command),
        _ => Err(words::too_many()),
    };
    match line.command {
        Command::List => nothing(TimeoutCommand::List),
        Command::Flush => nothing(TimeoutCommand::Flush),
        Command::Get => one_name().map(TimeoutCommand::Get),
        Command::Delete => one_name().map(TimeoutCommand::Delete),
        Command::Add => match line.parameters {
            [name, family, protocol, states @ ..] => {
                let typed = TypedProtocol::parse(family, protocol, etc_protocols)?;
                Ok(TimeoutCommand::Add(
                    words::name(name, NAME_BYTES),
                    typed.with(states)?,
                ))
            }
            _ => Err(words::missing(
                "add timeout name family protocol state1 timeout1 ...",
            )),
        },
        Command::DefaultSet => match line.parameters {
            [family, protocol, states @ ..] if !states.is_empty() => {
                let typed = TypedProtocol::parse(family, protocol, etc_protocols)?;
                Ok(TimeoutCommand::SetDefaults(typed.with(states)?))
            }
            _ => Err(words::missing(
                "default-set timeout family protocol state1 timeout1...",
            )),
        },
        // Further words are ignored.
        Command::DefaultGet => match line.parameters {
            [family, protocol, ..] => {
                let typed = TypedProtocol::parse(family, protocol, etc_protocols)?;
                Ok(TimeoutCommand::GetDefaults(typed.with(&[])?))
            }
            _ => Err(words::missing("default-get timeout family protocol")),
        },
        Command::Disable => Err(Problem::new("Missing command").append(&[
            line.program,
            b" <list|add|delete|get|default-set|default-get|flush> timeout [<parameters>, ...]\n",
        ])),
    }
}

/// A family and a protocol.
struct TypedProtocol<'a> {
    l3proto: u16,
    /// May exceed the 8 bits that the kernel accepts.
    number: u32,
    protocol: &'a [u8],
    /// The errno of the failed protocol lookup; nfct prints it in a later message.
    errno: i32,
}

impl<'a> TypedProtocol<'a> {
    fn parse(
        family: &[u8],
        protocol: &'a [u8],
        etc_protocols: impl FnOnce() -> io::Result<String>,
    ) -> Result<Self, Problem> {
        let l3proto = words::family(family)?;
        let (listed, errno) = match etc_protocols() {
            Ok(text) => (protocols::number_of(&text, protocol), 0),
            Err(error) => (None, error.raw_os_error().unwrap_or(0)),
        };
        let number = match (listed, protocol) {
            (Some(number), _) => number,
            (None, b"icmpv6") => proto::ICMPV6.into(),
            (None, b"generic") => GENERIC.into(),
            (None, _) => return Err(Problem::with_errno("unknown layer 4 protocol", errno)),
        };
        Ok(Self {
            l3proto,
            number,
            protocol,
            errno,
        })
    }

    /// The states that nfct knows for the protocol.
    fn states(&self) -> &'static [State] {
        u8::try_from(self.number).map_or(&[], render::nfct::states)
    }

    /// Parses pairs of a state and its seconds. The last value for a state wins.
    fn with(self, pairs: &[&[u8]]) -> Result<Timeouts, Problem> {
        let mut values = BTreeMap::new();
        for pair in pairs.chunks(2) {
            let [typed, seconds] = pair else {
                return Err(Problem::with_errno("missing value for this timeout", self.errno));
            };
            let known = |state: &&State| state.name.as_bytes().eq_ignore_ascii_case(typed);
            let Some(state) = self.states().iter().find(known) else {
                let parts = [
                    &b"Wrong state name: `"[..],
                    typed,
                    b"' for protocol `",
                    self.protocol,
                    b"'",
                ];
                return Err(Problem::new(parts.concat()));
            };
            values.insert(state.attribute, atoi(seconds).cast_unsigned());
        }
        Ok(Timeouts {
            l3proto: self.l3proto,
            // nfct truncates it too: 262 (mptcp) becomes 6 (tcp).
            l4proto: self.number as u8,
            values: values.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests;
