//! Answers from recordings of several hosts or boots, one after the other, and standard output that names the host.

use std::{
    collections::HashMap,
    io::{self, Stdout, Write},
    process::ExitCode,
};

use anyhow::Context as _;

use super::{UsageError, input_args::InputArgs, is_broken_pipe, sentence};
use crate::{
    render::{merged::Host, printed::Form},
    source::recorded::Start,
};

/// The start of JSON's first line, which the output has once.
const SCHEMA_LINE: &[u8] = b"{\"type\":\"schema\"";

/// Standard output. If there are several hosts, it names the one that answers.
pub(super) struct Output<W = Stdout> {
    to: W,
    of: Option<OfHost>,
}

/// The answer of one of several hosts.
struct OfHost {
    host: Host,
    is_first: bool,
    has_begun: bool,
    /// A line without its end so far.
    partial: Vec<u8>,
}

impl Output {
    /// Standard output of the only host.
    pub(super) fn stdout() -> Self {
        Self {
            to: io::stdout(),
            of: None,
        }
    }
}

impl<W: Write> Output<W> {
    fn of_host(to: W, host: Host, is_first: bool) -> Self {
        let of = OfHost {
            host,
            is_first,
            has_begun: false,
            partial: Vec::new(),
        };
        Self { to, of: Some(of) }
    }

    /// Writes an answer; a broken pipe is no error.
    pub(super) fn print(&mut self, out: &[u8]) -> anyhow::Result<()> {
        match self.write_all(out).and_then(|()| self.flush()) {
            Err(error) if !is_broken_pipe(&error) => {
                Err(error).context("writing the answer to standard output")
            }
            _ => Ok(()),
        }
    }
}

impl OfHost {
    /// The whole lines, with the host.
    fn lines(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.partial.extend_from_slice(bytes);
        let end = self.partial.iter().rposition(|byte| *byte == b'\n');
        let rest = self.partial.split_off(end.map_or(0, |end| end + 1));
        let lines = std::mem::replace(&mut self.partial, rest);
        let mut out = Vec::new();
        if !lines.is_empty() && !self.has_begun {
            self.has_begun = true;
            if self.host.form == Form::Messages {
                let gap = if self.is_first { "" } else { "\n" };
                out.extend_from_slice(format!("{gap}{}:\n", self.host.name).as_bytes());
            }
        }
        match self.host.form {
            Form::Messages => out.extend_from_slice(&lines),
            Form::Json => {
                for line in lines.split_inclusive(|byte| *byte == b'\n') {
                    match line.starts_with(SCHEMA_LINE) {
                        true if self.is_first => out.extend_from_slice(line),
                        true => {}
                        false => self.host.name_lines(&mut out, |out| out.extend_from_slice(line)),
                    }
                }
            }
        }
        out
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.of {
            None => self.to.write(bytes),
            Some(of) => {
                let lines = of.lines(bytes);
                self.to.write_all(&lines)?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Lets each host of the recordings answer. A host that cannot is reported, and the others answer.
pub(super) fn each_host(
    input: &InputArgs,
    is_json: bool,
    mut answer: impl FnMut(&InputArgs, &mut Output) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let boots = input.by_boot()?;
    if boots.len() < 2 {
        answer(input, &mut Output::stdout())?;
        return Ok(ExitCode::SUCCESS);
    }
    let form = match is_json {
        true => Form::Json,
        false => Form::Messages,
    };
    let hosts = named(form, boots.iter().map(|(_, start)| start));
    let mut failed = Vec::new();
    let mut is_first = true;
    for ((files, _), host) in boots.iter().zip(hosts) {
        message!("{}:", host.name);
        let mut output = Output::of_host(io::stdout(), host, is_first);
        if let Err(error) = answer(files, &mut output) {
            message!("{}", sentence(&error));
            failed.push(error);
        }
        is_first &= !output.of.is_some_and(|of| of.has_begun);
    }
    const NONE: &str = "no host of the recordings has an answer";
    match failed.len() {
        0 => Ok(ExitCode::SUCCESS),
        number if number < boots.len() => Ok(ExitCode::FAILURE),
        _ if failed.iter().all(|error| error.is::<UsageError>()) => Err(UsageError(NONE.to_owned()).into()),
        _ => Err(anyhow::anyhow!(NONE)),
    }
}

/// The name of each boot: the host, and a number from the host's second boot on.
pub(super) fn named<'a>(form: Form, starts: impl Iterator<Item = &'a Start>) -> Vec<Host> {
    let mut boots: HashMap<&str, u32> = HashMap::new();
    let names: Vec<String> = starts
        .map(|start| {
            let number = boots.entry(&start.host).or_default();
            *number += 1;
            match *number {
                1 => start.host.clone(),
                number => format!("{}#{number}", start.host),
            }
        })
        .collect();
    let columns = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let host = |name| Host {
        name,
        columns: columns.max("HOST".len()),
        form,
    };
    names.into_iter().map(host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, is_first: bool, parts: &[&str]) -> String {
        let host = Host {
            name: "web-1".to_owned(),
            columns: 5,
            form,
        };
        let mut output = Output::of_host(Vec::new(), host, is_first);
        for part in parts {
            output.write_all(part.as_bytes()).unwrap();
        }
        String::from_utf8(output.to).unwrap()
    }

    #[test]
    fn a_heading_names_the_host_of_text() {
        assert_eq!(written(Form::Messages, true, &["a\nb", "\n"]), "web-1:\na\nb\n");
        assert_eq!(written(Form::Messages, false, &["a\n"]), "\nweb-1:\na\n");
        assert_eq!(written(Form::Messages, true, &["a"]), "");
    }

    #[test]
    fn every_line_of_json_names_the_host_and_the_first_line_comes_once() {
        let parts = ["{\"type\":\"schema\",\"version\":1}\n{\"a\"", ":1}\n"];
        assert_eq!(
            written(Form::Json, true, &parts),
            "{\"type\":\"schema\",\"version\":1}\n{\"a\":1,\"host\":\"web-1\"}\n"
        );
        assert_eq!(
            written(Form::Json, false, &parts),
            "{\"a\":1,\"host\":\"web-1\"}\n"
        );
    }
}
