//! rsct under the name `nfct`: the old command line, whole.
//!
//! Called by that name, rsct takes every command of nfct 1.4.7 and answers in its words, byte for byte; only the version
//! is its own. What it does otherwise on purpose is listed in `docs/nfct.md`. Nothing of rsct's own command line is on
//! this path.
//!
//! [`command`] finds out which command is meant of which subsystem; [`timeout`] and [`helper`] read what follows and
//! carry it out.

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
use command::{Line, Subsystem};
use problem::Problem;

/// The name that rsct answers to in this way.
pub const NAME: &str = "nfct";

/// rsct's version, which stands where nfct's would.
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
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    match execute(&words).and_then(|out| print(&out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => ExitCode::from(problem.tell()),
    }
}

/// Carries out a command line and returns what is to be printed.
fn execute(words: &[&[u8]]) -> Result<Vec<u8>, Problem> {
    let line = Line::parse(words)?;
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
        let said = error
            .raw_os_error()
            .map_or_else(|| error.to_string(), errno::sentence);
        Problem::said(format!("cannot write to standard output: {said}"))
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
