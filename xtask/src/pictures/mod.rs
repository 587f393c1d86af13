//! `cargo xtask pictures`: the README's pictures, each from a real run.

mod page;

use std::process::ExitCode;

use anyhow::Result;

/// Draws each picture.
const PICTURES: &[fn() -> Result<()>] = &[
    page::draw,
    // The live screen belongs here: `screen::draw`, in a file of its own.
];

/// Runs the subcommand.
pub fn run() -> Result<ExitCode> {
    for draw in PICTURES {
        draw()?;
    }
    Ok(ExitCode::SUCCESS)
}
