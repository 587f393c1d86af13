//! rsct under the name `conntrack`: the old command line, whole.
//!
//! Called by that name, rsct takes every command, option and habit of conntrack 1.4.7 (and `--labelmap`, which came
//! later), and answers in its words, byte for byte; only the version is its own. What it does otherwise on purpose is
//! listed in `docs/conntrack.md`. Nothing of rsct's own command line is on this path.
//!
//! [`getopt`] reads words, [`parse`] makes an [`Order`](parse::Order) or a [`Problem`](problem::Problem) of them, and
//! [`run`] carries it out.

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
use problem::{Problem, say};
use run::Session;

/// The name that rsct answers to in this way.
pub const NAME: &str = "conntrack";

/// rsct's version, which stands where conntrack's would.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether a program's name is the old command's.
pub fn is_meant(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new(NAME))
}

/// Runs the command line that this process was started with.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    // The old command dies of a pipe that nobody reads, without a word; those who call it may look at that.
    // SAFETY: no other thread runs yet, and the default action needs no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let words: Vec<Vec<u8>> = args.map(OsString::into_vec).collect();
    let mut session = Session::new(words.first().cloned().unwrap_or_default());
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
        Err(problem) => ExitCode::from(problem.tell()),
    }
}

/// Whether a line of a file for `-R` can be meant; it is not carried out.
pub fn can_be_meant(line: &[u8]) -> bool {
    matches!(
        run::order_of(&mut line.to_vec(), &mut Session::new(NAME.into())),
        Ok(Some(_))
    )
}

/// Carries out one command line and sums it up; says whether it went over anything, where it should have.
fn one(session: &mut Session, words: &[Vec<u8>]) -> Result<bool, Problem> {
    let order = Order::parse(words.iter().map(Vec::as_slice).collect(), &mut session.names)?;
    run::execute(session, &order)?;
    let command: Command = order.command();
    let Some(summary) = command.summary() else {
        return Ok(true);
    };
    session.out.flush()?;
    say(format!("{} {summary}.", session.counter).as_bytes());
    Ok(session.counter > 0 || command.may_find_nothing())
}
