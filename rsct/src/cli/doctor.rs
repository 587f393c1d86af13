//! `rsct doctor`: what works here and what does not, and why.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};

use super::is_broken_pipe;
use crate::{
    doctor,
    kernel::interrupt,
    render::{self, color::Palette},
};

/// Tell whether rsct can trace on this machine, and what it finds there.
///
/// Attaches to every hook for a moment and detaches again. Exits with 0 where tracing works, with 1 where it
/// does not.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// How the diagnosis looks.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputArg,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum OutputArg {
    /// Sections for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Runs `rsct doctor`.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let (diagnosis, held) = doctor::gather();
    ensure!(
        interrupt::caught().is_none(),
        "stopped before all hooks were tried: there is no diagnosis"
    );
    let mut out = Vec::new();
    match args.output {
        OutputArg::Text => {
            let palette = Palette::for_stream(&io::stdout());
            render::doctor::text(&mut out, &diagnosis, palette);
        }
        OutputArg::Json => render::bytes::json_pretty(&mut out, &diagnosis),
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
