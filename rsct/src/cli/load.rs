//! `rsct load`: changes from a file.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, ValueEnum};

use super::{
    UsageError, ended,
    namespaces::{Namespaces, NetnsArg},
    refusal,
    shared_args::DryRunArg,
};
use crate::{
    kernel::{netns::Netns, sysctl::Where},
    labels::LabelMap,
    load::{FileReader, Filler, Handed, LineError, LoadCounts, Sender, Undone},
    netlink::{Socket, change::Operation},
    plural,
    timeouts::ValuesError,
    waiting,
};

/// Apply the lines of a file written by rsct save
///
/// Each line is a command of `conntrack`; files of `conntrack -o save` load too. -A creates an entry and keeps an existing
/// one, -I creates and fails if the entry exists, -U updates, -D deletes the entry with the tuple, zone and id (other
/// options of the line are ignored), -F flushes. Lines that begin with # are skipped, and so is the word conntrack at the
/// beginning of a line.
///
/// A line -A or -I without a timeout, such as that of a flow in a flowtable, gets the timeout of its state; TCP without a
/// state gets that of ESTABLISHED. Each line is applied by itself, the first ones before the last one is read.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct load entries.save
  rsct load --dry-run entries.save
  rsct save --netns blue | rsct load --netns green -")]
pub struct LoadArgs {
    /// File to load; - for standard input
    file: PathBuf,
    /// Stop or continue after a line that fails
    ///
    /// Lines are sent in batches: lines after a failed one may already be applied. rsct reports their number.
    #[arg(long, value_enum, default_value_t, value_name = "stop|continue")]
    on_error: OnError,
    #[command(flatten)]
    dry_run: DryRunArg,
    /// Do not print the summary
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    netns: NetnsArg,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OnError {
    /// Stop at the first line that fails
    #[default]
    Stop,
    /// Continue with the next line
    Continue,
}

/// Runs `rsct load`.
pub fn run(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    let namespaces = Namespaces::open(&args.netns)?;
    let is_stdin = args.file == Path::new("-");
    if is_stdin && namespaces.column().is_some() {
        return Err(UsageError(
            "--netns all: standard input cannot be read once for each namespace; give a file".to_owned(),
        )
        .into());
    }
    let load = Load {
        name: if is_stdin {
            "-".to_owned()
        } else {
            args.file.display().to_string()
        },
        labels: Arc::new(LabelMap::load_default()),
        args,
    };
    let mut all_done = true;
    if args.dry_run.dry_run {
        all_done = load.check()?;
    } else {
        let visit = namespaces.visit(async |netns, socket| {
            let named = namespaces.column().map(|_| netns);
            // After an error in one namespace, the others are not changed.
            if all_done || args.on_error == OnError::Continue {
                all_done &= load.one(named, namespaces.settings(netns), socket).await?;
            }
            Ok(())
        });
        all_done &= waiting::block_on(visit)?;
        namespaces.report_hidden();
    }
    Ok(if all_done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Unwraps a netlink error, which with `--netns all` stops only this namespace.
fn of_values(error: ValuesError) -> anyhow::Error {
    match error {
        ValuesError::Netlink(error) => error.into(),
        error => error.into(),
    }
}

struct Load<'a> {
    name: String,
    labels: Arc<LabelMap>,
    args: &'a LoadArgs,
}

impl Load<'_> {
    fn doing(&self) -> String {
        format!("loading {}", self.name)
    }

    fn stops(&self) -> bool {
        self.args.on_error == OnError::Stop
    }

    fn reading(&self) -> anyhow::Result<FileReader> {
        Ok(FileReader::begin(&self.args.file, &self.labels, self.stops())?)
    }

    /// Reads the file and changes nothing; returns whether all lines are valid.
    fn check(&self) -> anyhow::Result<bool> {
        let mut tally = LoadCounts::default();
        let mut lacking = 0;
        let reading = self.reading()?;
        while let Some(handed) = reading.next() {
            match handed {
                Handed::Chunk(chunk) => {
                    lacking += chunk.lacking().count() as u64;
                    for (request, _) in chunk.requests() {
                        tally.count(request.command);
                    }
                    reading.recycle(chunk);
                }
                Handed::Bad(line, error) => {
                    tally.failed += 1;
                    self.report_bad(line, &error);
                }
                Handed::Failed(error) => return Err(error.into()),
            }
        }
        self.report("", &tally, "would be ");
        self.report_filled("", lacking, "would be ");
        Ok(tally.failed == 0)
    }

    /// Loads the file into one namespace; returns whether all lines were applied.
    async fn one(
        &self,
        netns: Option<&Netns>,
        settings: Where<'_>,
        socket: &mut Socket,
    ) -> anyhow::Result<bool> {
        let place = netns.map_or_else(String::new, |netns| {
            format!("in network namespace {}: ", netns.name)
        });
        ended::check(self.doing())?;
        let reading = self.reading()?;
        let mut sender = Sender::new(socket)?;
        let mut filler = Filler::new(settings);
        let mut stopped = None;
        let mut last = 0;
        while let Some(handed) = reading.next() {
            match handed {
                Handed::Chunk(mut chunk) => {
                    filler.fill(socket, &mut chunk).await.map_err(of_values)?;
                    let undone = sender.send(socket, &chunk, self.stops()).await?;
                    if self.stops()
                        && let Some(first) = undone.first()
                    {
                        stopped = Some((first.before, first.behind));
                    }
                    for undone in undone {
                        self.report_undone(socket, undone).await?;
                    }
                    if stopped.is_some() {
                        break;
                    }
                    last = chunk.requests().last().map_or(last, |(request, _)| request.line);
                    if let Err(ended) = ended::check(self.doing()) {
                        self.report(&place, &sender.tally, "");
                        return Err(ended.leaving(format!(" after line {last}")).into());
                    }
                    reading.recycle(chunk);
                }
                Handed::Bad(line, error) => {
                    sender.tally.failed += 1;
                    self.report_bad(line, &error);
                    if self.stops() {
                        stopped = Some((sender.tally.done(), 0));
                    }
                }
                Handed::Failed(error) => {
                    self.report(&place, &sender.tally, "");
                    ended::check(self.doing())
                        .map_err(|ended| ended.leaving(format!(" after line {last}")))?;
                    return Err(error.into());
                }
            }
        }
        if let Some((before, behind)) = stopped {
            let together = match behind {
                0 => String::new(),
                behind => format!(
                    ", and {behind} after it in the same batch {} applied too",
                    plural::choose(&behind, "was", "were")
                ),
            };
            message!(
                "{place}{}: stopped at the first line that failed; {} applied{together}",
                self.name,
                plural::count(before, "line before it was", "lines before it were")
            );
        }
        self.report(&place, &sender.tally, "");
        self.report_filled(&place, filler.filled, "");
        Ok(sender.tally.failed == 0)
    }

    fn report_bad(&self, line: u64, error: &LineError) {
        message!("{}:{line}: {error}", self.name);
    }

    /// Reports why the kernel rejected a line. An error that would repeat for every line is returned.
    async fn report_undone(&self, socket: &mut Socket, undone: Undone<'_>) -> anyhow::Result<()> {
        let Undone {
            line,
            operation,
            change,
            error,
            ..
        } = undone;
        if error.is_not_permitted() {
            return Err(error.into());
        }
        let entry = refusal::entry(&change);
        let sentence = match (operation, error.errno()) {
            (Some(Operation::Create), Some(libc::EEXIST)) => format!(
                "creating the entry {entry}: it, or an entry with its reply direction, exists already"
            ),
            (Some(Operation::Create), _) => super::sentence(&refusal::of_new(socket, error, &change).await),
            (Some(operation), _) => {
                let doing = match operation {
                    Operation::Delete => "deleting",
                    _ => "updating",
                };
                let doing = format!("{doing} the entry {entry}");
                super::sentence(&refusal::of_change(socket, error, &change, &doing).await)
            }
            (None, _) => error.to_string(),
        };
        message!("{}:{line}: {sentence}", self.name);
        Ok(())
    }

    /// Reports the lines without a timeout: the kernel sends none for a flow in a flowtable.
    fn report_filled(&self, place: &str, filled: u64, would_be: &str) {
        if filled != 0 && !self.args.quiet {
            let lines = plural::count(filled, "line", "lines");
            message!(
                "{place}{lines} without a timeout (the kernel sends none for a flow in a flowtable): the state's timeout \
                 {would_be}filled in, and ESTABLISHED for TCP without a state"
            );
        }
    }

    fn report(&self, place: &str, tally: &LoadCounts, would_be: &str) {
        if self.args.quiet {
            return;
        }
        let mut more = String::new();
        if tally.there > 0 {
            more.push_str(&format!(", {} unchanged (existed already)", tally.there));
        }
        if tally.flushes > 0 {
            more.push_str(", ");
            more.push_str(&plural::count(
                tally.flushes,
                "flush of the table",
                "flushes of the table",
            ));
        }
        message!(
            "{place}{} {would_be}created, {} {would_be}updated, {} {would_be}deleted{more}, {} failed.",
            tally.created,
            tally.updated,
            tally.deleted,
            tally.failed
        );
    }
}
