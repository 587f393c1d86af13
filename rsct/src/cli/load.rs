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

/// Change the conntrack table as a file says, which `rsct save` or `conntrack -o save` has written: one line, one
/// command of `conntrack`.
///
/// -A creates an entry and leaves one that is there already as it is, -I creates and fails there, -U changes, -D deletes
/// the entry with the tuple, zone and id (other options of that line are not looked at), -F flushes. Lines that begin
/// with # are passed over, and so is the word conntrack at a line's beginning. Where -A or -I has no timeout, as `rsct save`
/// writes flows of a flowtable, rsct fills in the timeout of the entry's state, and that of
/// ESTABLISHED for TCP. rsct does each line by itself, and does the first lines before it has read the last.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The file; - for standard input.
    file: PathBuf,
    /// What to do behind a line that can't be done. The kernel is given some lines together: where it refuses one,
    /// lines behind it may have been done all the same, which is said.
    #[arg(long, value_enum, default_value_t, value_name = "stop|continue")]
    on_error: OnError,
    /// Read the lines and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Don't say how many lines were done.
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    netns: NetnsArg,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OnError {
    /// End there.
    #[default]
    Stop,
    /// Go on with the next line.
    Continue,
}

/// Runs `rsct load`.
pub fn run(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    let namespaces = Namespaces::open(&args.netns)?;
    let is_stdin = args.file == Path::new("-");
    if is_stdin && namespaces.column().is_some() {
        return Err(UsageError(
            "--netns all: standard input can't be read once for each namespace; give a file".to_owned(),
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
    if args.dry_run {
        all_done = load.check()?;
    } else {
        let visit = namespaces.visit(async |netns, socket| {
            let named = namespaces.column().map(|_| netns);
            // Behind an error in one namespace the file is not begun in the next.
            if all_done || args.on_error == OnError::Continue {
                all_done &= load.one(named, namespaces.settings(netns), socket).await?;
            }
            Ok(())
        });
        all_done &= waiting::block_on(visit)?;
        namespaces.tell_of_hidden();
    }
    Ok(if all_done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A netlink error is passed over in one of all namespaces.
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

    /// Reads the file and changes nothing; says whether all of it is in order.
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
                    self.tell_bad(line, &error);
                }
                Handed::Failed(error) => return Err(error.into()),
            }
        }
        self.tell("", &tally, "would be ");
        self.tell_filled("", lacking, "would be ");
        Ok(tally.failed == 0)
    }

    /// Loads the file into one namespace; says whether all lines were done.
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
                        self.tell_undone(socket, undone).await?;
                    }
                    if stopped.is_some() {
                        break;
                    }
                    last = chunk.requests().last().map_or(last, |(request, _)| request.line);
                    if let Err(ended) = ended::check(self.doing()) {
                        self.tell(&place, &sender.tally, "");
                        return Err(ended.leaving(format!(" after line {last}")).into());
                    }
                    reading.recycle(chunk);
                }
                Handed::Bad(line, error) => {
                    sender.tally.failed += 1;
                    self.tell_bad(line, &error);
                    if self.stops() {
                        stopped = Some((sender.tally.done(), 0));
                    }
                }
                Handed::Failed(error) => {
                    self.tell(&place, &sender.tally, "");
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
                    ", {behind} behind it, sent together with it, {} done too",
                    plural::choose(&behind, "was", "were")
                ),
            };
            message!(
                "{place}{}: ended at the first line that could not be done; {} done{together}",
                self.name,
                plural::count(before, "line before it was", "lines before it were")
            );
        }
        self.tell(&place, &sender.tally, "");
        self.tell_filled(&place, filler.filled, "");
        Ok(sender.tally.failed == 0)
    }

    fn tell_bad(&self, line: u64, error: &LineError) {
        message!("{}:{line}: {error}", self.name);
    }

    /// Says why the kernel did not do a line. What would go wrong with every line is an error.
    async fn tell_undone(&self, socket: &mut Socket, undone: Undone<'_>) -> anyhow::Result<()> {
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
                "creating the entry {entry}: it, or one that has its reply direction, is there already"
            ),
            (Some(Operation::Create | Operation::CreateOrUpdate), _) => {
                super::sentence(&refusal::of_new(socket, error, &change).await)
            }
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

    /// Says what lines did not: the kernel shows no timeout of a flow in a flowtable.
    fn tell_filled(&self, place: &str, filled: u64, would_be: &str) {
        if filled != 0 && !self.args.quiet {
            let lines = plural::count(filled, "line", "lines");
            message!(
                "{place}{lines} without a timeout (the kernel shows none of a flow in a flowtable): the state's timeout \
                 {would_be}filled in, and ESTABLISHED for TCP without a state"
            );
        }
    }

    fn tell(&self, place: &str, tally: &LoadCounts, would_be: &str) {
        if self.args.quiet {
            return;
        }
        let mut more = String::new();
        if tally.there > 0 {
            more.push_str(&format!(", {} there already", tally.there));
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
