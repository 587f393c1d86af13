//! `rsct recording`: recordings as files.

mod cut;
mod info;
mod verify;

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{
    is_broken_pipe, sentence,
    shared_args::{FormatArg, TextOrJson},
};
use crate::{recording::Contents, render::recording as render, schema::Command as Printed};

/// Describe, check and cut recordings
///
/// A recording is a file of `rsct record`; docs/recording.md describes its format. Concatenated recordings are one.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct recording info trace.rsct
  rsct recording verify trace.rsct trace.rsct.1
  rsct recording cut trace.rsct -O dns.rsct -p udp --dport 53")]
pub struct RecordingArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Cut(Box<cut::CutArgs>),
    Info(info::InfoArgs),
    Verify(verify::VerifyArgs),
}

/// Runs `rsct recording`.
pub fn run(args: &RecordingArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Cut(args) => cut::run(args),
        Command::Info(args) => info::run(args),
        Command::Verify(args) => verify::run(args),
    }
}

/// Files to read.
#[derive(Clone, Debug, Args)]
struct FilesArg {
    /// Recordings
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
}

impl FilesArg {
    /// Reads each file and prints it. Fails if one cannot be read, or `is_bad`.
    fn print(
        &self,
        command: Printed,
        text: impl Fn(&mut Vec<u8>, &str, &Contents),
        is_bad: impl Fn(&Contents) -> bool,
    ) -> anyhow::Result<ExitCode> {
        let mut out = self.output.begin(command);
        let mut all_went_well = true;
        for (number, path) in self.files.iter().enumerate() {
            match read(path) {
                Ok(contents) => {
                    let name = path.to_string_lossy();
                    if self.output.is_json() {
                        render::json(&mut out, &name, &contents);
                    } else {
                        if number > 0 && command == Printed::RecordingInfo {
                            out.push(b'\n');
                        }
                        text(&mut out, &name, &contents);
                    }
                    all_went_well &= !is_bad(&contents);
                }
                Err(error) => {
                    message!("{}", sentence(&error));
                    all_went_well = false;
                }
            }
            if let Err(error) = io::stdout().write_all(&out) {
                if is_broken_pipe(&error) {
                    break;
                }
                return Err(error).context("writing to standard output");
            }
            out.clear();
        }
        Ok(if all_went_well {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn read(path: &Path) -> anyhow::Result<Contents> {
    let name = || format!("reading the recording {}", path.display());
    let file = File::open(path).with_context(name)?;
    Contents::read(file).with_context(name)
}
