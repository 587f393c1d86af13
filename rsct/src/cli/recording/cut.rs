//! `rsct recording cut`: a part of a recording as a recording.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;

use crate::{
    cli::{
        FilterArgs, UsageError, binary_output,
        input_args::{WindowArgs, netns_of},
        is_broken_pipe,
        namespaces::NetnsArg,
        watching::records_have,
    },
    plural,
    recording::WriteError,
    source::{
        Recorded,
        recorded::cut::{CutError, CutOptions, cut},
    },
};

/// Write a part of a recording: some flows, or some time
///
/// The part is a recording of its own. Its replay equals that of the whole recording with the same filter, --netns, --from
/// and --to: it also contains the names, facts and counts of the whole, and a dump of the entries that exist at its begin.
/// Give all files of a rotated recording; `-` reads standard input.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct recording cut trace.rsct -O dns.rsct -p udp --dport 53
  rsct recording cut a.rsct.1 a.rsct -O b.rsct --from +10m --to +11m
  rsct recording cut a.rsct -O - --host 10.0.0.5 | rsct trace --input -")]
pub(super) struct CutArgs {
    /// Recordings
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// File to write; an existing one is replaced, `-` is standard output
    #[arg(short = 'O', long = "output-file", value_name = "OUT", required = true)]
    out: PathBuf,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    window: WindowArgs,
}

/// Runs `rsct recording cut`.
pub(super) fn run(args: &CutArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    records_have(
        &filter,
        "records do not have this field; `rsct list` and `rsct watch` accept the option",
    )?;
    if !filter.details.is_empty() {
        return Err(UsageError(
            "a recording cannot be limited to states and statuses, which change: cut all of them, and give these options to \
             `rsct trace --input`"
                .to_owned(),
        )
        .into());
    }
    binary_output::check(&args.out, &args.files, "a recording")?;
    let input = args.window.of(args.files.clone());
    let Recorded {
        mut files,
        start,
        window,
    } = input.open(false)?.context("no recording is given")?;
    let options = CutOptions {
        path: args.out.clone(),
        filter,
        netns: netns_of(args.netns.name(), &start.names)?,
        window,
    };
    let written = match cut(&mut files, &start, options) {
        Err(CutError::Write(WriteError::Write { source, .. })) if is_broken_pipe(&source) => {
            return Ok(ExitCode::SUCCESS);
        }
        written => written.context("cannot cut the recording")?,
    };
    if written.without_latency {
        message!("the measured durations are omitted: they are not separate for each flow and namespace");
    }
    message!(
        "{} in {}",
        plural::count(written.records, "record", "records"),
        plural::count(written.summary.bytes, "byte", "bytes"),
    );
    Ok(ExitCode::SUCCESS)
}
