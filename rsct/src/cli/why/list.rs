//! `rsct why --causes`: a list of all causes.

use std::{fmt::Write as _, process::ExitCode};

use crate::causes::Cause;
use crate::cli::each_host::Output;

/// Prints all causes by family.
pub(super) fn run() -> anyhow::Result<ExitCode> {
    let mut out = String::new();
    let mut last = None;
    for cause in Cause::all() {
        if last != Some(cause.family()) {
            last = Some(cause.family());
            // Writing to a String can't fail.
            let _ = writeln!(out, "{}", cause.family().name());
        }
        let _ = writeln!(
            out,
            "  {}: {}\n    do: {}",
            cause.name(),
            cause.meaning(),
            cause.advice()
        );
    }
    Output::stdout().print(out.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
