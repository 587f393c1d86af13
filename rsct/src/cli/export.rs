//! `rsct export`: a recording in the format of another program.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{
    FilterArgs, UsageError, binary_output, ended,
    input_args::{InputArgs, WindowArgs, netns_of},
    is_broken_pipe,
    namespaces::NetnsArg,
    record::parse_size,
    replacement::Replacement,
    watching::records_have,
};
use crate::{
    export::perfetto::{Exporter, Options, Written},
    filter::Filter,
    observe::Selection,
    plural,
    report::Gathered,
    snapshot::{Collector, Leaders},
    source::Recorded,
};

/// The largest file that Perfetto's user interface opens without trouble.
const DEFAULT_SIZE: &str = "200M";
/// More flows than this may be left out when figures are collected.
const MOST_FLOWS: u64 = 512;

/// Convert a recording to a trace for Perfetto
///
/// Perfetto (https://ui.perfetto.dev) shows each packet and operation on its CPU, a track for each top flow, and counters of
/// the table and of events per second. `trace_processor` queries the file with SQL.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct export fault.rsct -o perfetto
  rsct export fault.rsct -o perfetto -O dns.pftrace -p udp --dport 53
  rsct export fault.rsct -o perfetto -O - --from +10s --to +20s >part.pftrace")]
pub(super) struct ExportArgs {
    /// Recordings of one host
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "perfetto")]
    output: Form,
    /// File to write; an existing one is replaced, `-` is standard output
    ///
    /// Without the option it is FILE with the extension pftrace.
    #[arg(short = 'O', long = "output-file", value_name = "OUT")]
    out: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    window: WindowArgs,
    /// Write tracks for the N flows with the most packets
    ///
    /// The packets of the others are counted, and are on the tracks of their CPUs.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(..=MOST_FLOWS))]
    top: u64,
    /// End the file before it has this size (64M, 1G)
    #[arg(long, value_name = "SIZE", default_value = DEFAULT_SIZE, value_parser = parse_size)]
    max_size: u64,
}

/// Formats of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Perfetto's trace format
    Perfetto,
}

/// Runs `rsct export`.
pub(super) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    records_have(
        &filter,
        "records do not have this field; `rsct list` and `rsct watch` accept the option",
    )?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => default_out(&args.files)?,
    };
    binary_output::check(&out, &args.files, "a trace")?;
    let Form::Perfetto = args.output;
    let export = Export {
        args,
        input: args.window.of(args.files.clone()),
        filter,
        out,
    };
    export.run()
}

/// FILE with another extension.
fn default_out(files: &[PathBuf]) -> Result<PathBuf, UsageError> {
    match files.first() {
        Some(file) if file != Path::new("-") => Ok(match file.extension() {
            Some(extension) if extension == "rsct" => file.with_extension("pftrace"),
            _ => {
                let mut name = file.clone().into_os_string();
                name.push(".pftrace");
                name.into()
            }
        }),
        _ => Err(UsageError(
            "-: standard input has no name for the trace; give one with -O".to_owned(),
        )),
    }
}

struct Export<'a> {
    args: &'a ExportArgs,
    input: InputArgs,
    filter: Filter,
    out: PathBuf,
}

impl Export<'_> {
    fn run(&self) -> anyhow::Result<ExitCode> {
        if self.out == Path::new("-") {
            let recorded = self.open()?;
            return match self.write(recorded, io::stdout().lock()) {
                Ok((written, elapsed_ns)) => {
                    self.report(&written, elapsed_ns);
                    Ok(ExitCode::SUCCESS)
                }
                Err(error) if error.downcast_ref().is_some_and(is_broken_pipe) => Ok(ExitCode::SUCCESS),
                Err(error) => Err(error.context("writing the trace to standard output")),
            };
        }
        let recorded = self.open()?;
        let target = Replacement::of(&self.out, "writing the trace")?;
        let written = self.write(recorded, &target.file);
        let doing = || format!("writing the trace to {}", self.out.display());
        ended::check(doing()).map_err(|ended| ended.leaving(target.target_state()))?;
        let (written, elapsed_ns) = written.with_context(doing)?;
        target.put()?;
        self.report(&written, elapsed_ns);
        Ok(ExitCode::SUCCESS)
    }

    fn open(&self) -> anyhow::Result<Recorded> {
        let recorded = self.input.open(false)?.context("no recording is given")?;
        if self.args.top > 0 && !recorded.files.are_regular() {
            return Err(UsageError(
                "the recording is read twice, first to find the top flows, and a pipe can be read once: give a file, or \
                 --top 0"
                    .to_owned(),
            )
            .into());
        }
        Ok(recorded)
    }

    /// Writes the trace. Also returns the duration of the recording, if it was read before.
    fn write(&self, recorded: Recorded, to: impl Write) -> anyhow::Result<(Written, Option<u64>)> {
        let start = recorded.start.clone();
        let netns = netns_of(self.args.netns.name(), &start.names)?;
        let window = recorded.window;
        let selection = || Selection::recorded(&self.filter, netns, window.from_ns);
        let (mut files, mut options) = (
            recorded.files,
            Options {
                selection: selection(),
                netns,
                window,
                names: start.names.clone(),
                top: Vec::new(),
                most_bytes: self.args.max_size,
            },
        );
        let mut elapsed_ns = None;
        if self.args.top > 0 {
            let mut setup = start.setup.clone();
            setup.started_ns = setup.started_ns.max(window.from_ns);
            let mut gathered = Gathered::new(Collector::new(&setup, selection()), start.names.clone());
            files.run(&mut gathered, window)?;
            elapsed_ns = Some(gathered.now_ns.saturating_sub(setup.started_ns));
            let flows = &gathered.snapshot().culprits.flows;
            let most = usize::try_from(self.args.top).unwrap_or(usize::MAX);
            let top = flows.top(&Leaders::default(), most, |figures| figures.packets);
            options.top = top.into_iter().map(|(flow, _)| flow).collect();
            options.names = gathered.names;
            files = self.open()?.files;
            files.be_quiet();
        }
        let mut exporter = Exporter::new(to, &start, options);
        files.run(&mut exporter, window)?;
        Ok((exporter.finish()?, elapsed_ns))
    }

    fn report(&self, written: &Written, elapsed_ns: Option<u64>) {
        let size = plural::count(written.bytes, "byte", "bytes");
        let place = match self.out == Path::new("-") {
            true => String::new(),
            false => format!(": {}", self.out.display()),
        };
        if let Some(full_after_ns) = written.full_after_ns {
            let whole = elapsed_ns.map(|all_ns| format!(" of {}", seconds(all_ns)));
            return message!(
                "the trace would exceed --max-size: it has the first {}{} in {size}{place}; narrow it with --from, --to, \
                 --netns or filters, or give a larger size",
                seconds(full_after_ns),
                whole.unwrap_or_default()
            );
        }
        let others = match written.of_other_flows {
            0 => String::new(),
            count => format!(" ({count} on no flow's track)"),
        };
        message!(
            "{}{others} and {} in {size}{place}",
            plural::count(written.packets, "packet", "packets"),
            plural::count(written.entries, "operation", "operations"),
        );
    }
}

fn seconds(time_ns: u64) -> String {
    format!("{:.1} s", time_ns as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_trace_is_that_of_the_recording() {
        for (file, expected) in [
            ("dir/fault.rsct", "dir/fault.pftrace"),
            ("gateway.rsct.1", "gateway.rsct.1.pftrace"),
            ("fault", "fault.pftrace"),
        ] {
            assert_eq!(default_out(&[file.into()]).unwrap(), PathBuf::from(expected));
        }
        assert!(default_out(&["-".into()]).is_err());
    }
}
