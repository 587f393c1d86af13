//! The complete command line of `conntrack`, under that name.
//!
//! Invoked by that name, rsct accepts every command, option and quirk of conntrack 1.4.7 (and `--labelmap` of a later
//! version) and prints the same output byte for byte; only the version differs. `docs/conntrack.md` lists the intended
//! differences. rsct's own command line is not involved.
//!
//! `getopt` splits the words into options, `parse` turns them into an `Order` or a
//! `Problem`, and `run` executes the order.

mod change;
mod command;
mod errno;
mod getopt;
mod help;
mod labels;
mod matching;
mod object;
mod options;
mod parse;
mod print;
mod problem;
mod protocols;
mod run;
mod values;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::Path,
    process::ExitCode,
};

use command::Command;
use parse::Order;
use problem::{Problem, print};
use run::ConntrackSession;

/// The program name that selects this command line.
pub(crate) const NAME: &str = "conntrack";

/// rsct's version, printed in place of conntrack's.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns whether a program's name selects this command line.
pub(crate) fn is_invoked_as(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new(NAME))
}

/// Runs this process's command line.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    // conntrack dies silently of SIGPIPE; callers may check the signal.
    // SAFETY: no other thread runs yet, and the default action needs no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let words: Vec<Vec<u8>> = args.map(OsString::into_vec).collect();
    let mut session = ConntrackSession::new(words.first().cloned().unwrap_or_default());
    let done = match &words[..] {
        [_, option, file, ..] if option == b"-R" || option == b"--load-file" => {
            let file = OsStr::from_bytes(file);
            run::load_file(&mut session, Path::new(file)).map(|()| true)
        }
        _ => one(&mut session, &words),
    };
    let flushed = session.out.flush();
    match done.and_then(|went_well| flushed.map(|()| went_well)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => ExitCode::from(problem.report()),
    }
}

/// Parses a line of a file for `-R` without executing it; returns whether it is valid.
pub fn is_valid_line(line: &[u8]) -> bool {
    matches!(
        run::order_of(&mut line.to_vec(), &mut ConntrackSession::new(NAME.into())),
        Ok(Some(_))
    )
}

/// Runs one command line and prints its summary; returns whether it found an entry, if it had to.
fn one(session: &mut ConntrackSession, words: &[Vec<u8>]) -> Result<bool, Problem> {
    let order = Order::parse(words.iter().map(Vec::as_slice).collect(), &mut session.names)?;
    run::execute(session, &order)?;
    let command: Command = order.command();
    let Some(summary) = command.summary() else {
        return Ok(true);
    };
    session.out.flush()?;
    print(format!("{} {summary}.", session.counter).as_bytes());
    Ok(session.counter > 0 || command.may_find_nothing())
}
