//! The complete command line of `nfct`, under that name.
//!
//! Invoked by that name, rsct accepts every command of nfct 1.4.7 and prints the same output byte for byte; only the
//! version differs. `docs/nfct.md` lists the intended differences. rsct's own command line is not involved.
//!
//! [`command`] finds the command and the subsystem; [`timeout`] and [`helper`] parse the parameters and execute the
//! command.

mod command;
mod helper;
mod known;
mod problem;
mod timeout;
mod words;

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    os::unix::ffi::OsStringExt as _,
    path::Path,
    process::ExitCode,
};

use crate::{clib::errno, netlink::Socket, waiting::block_on};
use command::{CommandLine, Subsystem};
use problem::Problem;

/// The program name that selects this command line.
pub(crate) const NAME: &str = "nfct";

/// rsct's version, printed in place of nfct's.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns whether a program's name selects this command line.
pub(crate) fn is_invoked_as(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new(NAME))
}

/// Runs this process's command line.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    // nfct dies silently of SIGPIPE; callers may check the signal.
    // SAFETY: no other thread runs yet, and the default action needs no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let words: Vec<Vec<u8>> = args.map(OsString::into_vec).collect();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    match execute(&words).and_then(|out| print(&out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => ExitCode::from(problem.print()),
    }
}

/// Executes a command line and returns its output.
fn execute(words: &[&[u8]]) -> Result<Vec<u8>, Problem> {
    let line = CommandLine::parse(words)?;
    if line.subsystem == Subsystem::Version {
        return Ok(version());
    }
    block_on(async {
        let mut socket = Socket::open().map_err(|error| Problem::no_socket(&error))?;
        match line.subsystem {
            Subsystem::Helper => helper::execute(&mut socket, &line).await,
            _ => timeout::execute(&mut socket, &line).await,
        }
    })
}

fn print(out: &[u8]) -> Result<(), Problem> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(out).and_then(|()| stdout.flush());
    written.map_err(|error| {
        let text = error
            .raw_os_error()
            .map_or_else(|| error.to_string(), errno::sentence);
        Problem::new(format!("cannot write to standard output: {text}"))
    })
}

fn version() -> Vec<u8> {
    format!(
        "nfct v{VERSION}: utility for the Netfilter's Connection Tracking System\n\
         Copyright (C) 2012 Pablo Neira Ayuso <pablo@netfilter.org>\n\
         This program comes with ABSOLUTELY NO WARRANTY.\n\
         This is free software, and you are welcome to redistribute it under certain \n\
         conditions; see LICENSE file distributed in this package for details.\n"
    )
    .into_bytes()
}
