//! The demo: seven short scenes between a client and a server, told by `rsct trace` as they are played.

mod narrator;
mod scenes;

use std::process::{Command, ExitCode};

use anyhow::Result;

use self::narrator::Narrator;
use crate::{lab::Lab, native::namespace};

/// Subcommands that show what is there and end: they are run when there is something to be seen.
const LOOKING_BACK: &[&str] = &["doctor", "list"];

/// Plays it, beside `rsct ARGS` where there are any.
pub fn run(args: &[String]) -> Result<ExitCode> {
    // Whoever plays the demo has no other namespaces of these names, or is told so.
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
    // On the server, so that a command without --netns looks at the right place.
    let narrator = lab.on_server(|| Narrator::start(command))?;
    if looks_back {
        return narrator.ended();
    }
    if !narrator.has_begun() {
        // It has said why.
        return narrator.ended();
    }
    scenes::play(&lab, args.is_empty().then_some(&narrator))?;
    narrator.stop()
}
