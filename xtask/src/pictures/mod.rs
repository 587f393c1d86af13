//! `cargo xtask pictures`: the README's pictures, each from a real run.

mod guest;
mod page;
mod screen;

use std::process::ExitCode;

use anyhow::Result;

/// Draws each picture.
const PICTURES: &[fn() -> Result<()>] = &[screen::draw, page::draw];

/// Runs the subcommand.
pub fn run() -> Result<ExitCode> {
    for draw in PICTURES {
        draw()?;
    }
    Ok(ExitCode::SUCCESS)
}
