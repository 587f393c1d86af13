//! The demo: seven short scenes between a client and a server, with the live output of `rsct trace`.

mod narrator;
mod scenes;

use std::process::{Command, ExitCode};

use anyhow::Result;

use self::narrator::Narrator;
use crate::{lab::Lab, native::namespace};

/// Subcommands that show the present state and end: they run when there is something to show.
const LOOKING_BACK: &[&str] = &["doctor", "list"];

/// Plays it; with ARGS, `rsct ARGS` runs instead of `rsct trace`.
pub fn run(args: &[String]) -> Result<ExitCode> {
    // The names must be free, or the demo stops with a message.
    let lab = Lab::called("server", "client")?.without_ipv6()?;
    scenes::prepare(&lab)?;
    let mut command = Command::new(namespace::rsct());
    if args.is_empty() {
        command.args(["trace", "--netns", "server", "--table"]);
    } else {
        command.args(args);
    }
    let looks_back = args
        .first()
        .is_some_and(|first| LOOKING_BACK.contains(&first.as_str()));
    if looks_back {
        scenes::play(&lab, None)?;
    }
    // On the server, so that a command without --netns reads the server's table.
    let narrator = lab.on_server(|| Narrator::start(command))?;
    if looks_back {
        return narrator.ended();
    }
    if !narrator.has_begun() {
        // It has printed the cause.
        return narrator.ended();
    }
    scenes::play(&lab, args.is_empty().then_some(&narrator))?;
    narrator.stop()
}
