//! `rsct doctor`: checks what works on this machine.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::{
    is_broken_pipe,
    shared_args::{FormatArg, TextOrJson},
};
use crate::{
    doctor,
    kernel::interrupt,
    render::{self, color::Palette},
};

/// Check whether rsct can trace on this machine
///
/// Attaches to every hook for a moment and detaches again. Prints the kernel, its conntrack, the privileges, and each hook
/// with the reason if it does not work. The exit code is 0 if tracing works, else 1.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct doctor
  rsct doctor -o json")]
pub struct DoctorArgs {
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
}

/// Runs `rsct doctor`.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let (diagnosis, held) = doctor::gather();
    ensure!(
        interrupt::caught().is_none(),
        "stopped before all hooks were tried: there is no diagnosis"
    );
    let mut out = Vec::new();
    match args.output.format {
        TextOrJson::Text => {
            let palette = Palette::for_stream(&io::stdout());
            render::doctor::text(&mut out, &diagnosis, palette);
        }
        TextOrJson::Json => render::bytes::json_pretty(&mut out, &diagnosis),
    }
    let written = io::stdout().write_all(&out);
    drop(held);
    match written {
        Err(error) if !is_broken_pipe(&error) => {
            Err(error).context("cannot write the diagnosis to standard output")
        }
        _ if diagnosis.can_trace => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::FAILURE),
    }
}
