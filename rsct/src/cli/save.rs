//! `rsct save`: writes the table to a file for `rsct load`.

use std::{
    io::{self, Seek as _, Write as _},
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;

use super::{
    FilterArgs, ended, is_broken_pipe,
    list::EntryFormat,
    namespaces::{Namespaces, NetnsArg},
    reading::{self, ExplainArg},
    replacement::Replacement,
};
use crate::{
    filter::{Filter, Plan},
    kernel::{interrupt, netns::Netns},
    labels::LabelMap,
    netlink::{Socket, conntrack::Entry, dump},
    plural,
    render::entry::{About, View},
    waiting,
};

/// Save conntrack entries as lines for rsct load
///
/// `conntrack -R` loads them too, except for labels without a name and the SCTP states HEARTBEAT_SENT and
/// HEARTBEAT_ACKED. The file is replaced only when all entries are written; after an error it is unchanged.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct save -O entries.save
  rsct save -p tcp --state ESTABLISHED > established.save")]
pub struct SaveArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    /// File to write (default: standard output)
    #[arg(short = 'O', long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct save`.
pub fn run(args: &SaveArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let plan = filter.plan();
    args.explain.report(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let labels = LabelMap::load_default();
    let target = match &args.output_file {
        Some(path) => Target::File(Replacement::of(path, "saving entries")?),
        None => Target::Stdout,
    };
    let mut save = Save {
        filter,
        view: EntryFormat::Save.view(None, &labels, namespaces.column()),
        target,
        saved: 0,
        saved_before: 0,
        buffer: Vec::new(),
        begun_at: 0,
        written: false,
        error: None,
    };
    let visit = namespaces.visit(async |netns, socket| save.one(netns, socket, &plan).await);
    let all_went_well = waiting::block_on(visit)?;
    save.flush();
    match (save.error, save.target) {
        (Some(error), Target::Stdout) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
        (Some(error), Target::Stdout) => return Err(error).context("writing entries to standard output"),
        (Some(error), Target::File(file)) => return Err(file.failed(error)),
        // A file in which a namespace is missing would be incomplete.
        (None, Target::File(file)) if all_went_well => file.put()?,
        (None, Target::File(file)) => message!(
            "{} is unchanged, because not all namespaces could be read",
            file.path().display()
        ),
        (None, Target::Stdout) => {}
    }
    namespaces.report_hidden();
    message!(
        "{} been saved.",
        plural::count(save.saved, "flow entry has", "flow entries have")
    );
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Size of the buffer at which it is written.
const FLUSH_BYTES: usize = 128 * 1024;
/// Bytes held back at the start of a dump, which may be repeated: written bytes cannot be taken back from standard output.
const HOLD_BYTES: usize = 2 * 1024 * 1024;

enum Target {
    Stdout,
    File(Replacement),
}

struct Save<'a> {
    filter: Filter,
    view: View<'a>,
    target: Target,
    saved: u64,
    /// Number of entries when this dump began.
    saved_before: u64,
    buffer: Vec<u8>,
    /// Offset at which this dump began: in the file, or for standard output in the buffer.
    begun_at: u64,
    /// Some of this dump's entries have been written to standard output.
    written: bool,
    error: Option<io::Error>,
}

impl Save<'_> {
    async fn one(&mut self, netns: &Netns, socket: &mut Socket, plan: &Plan) -> anyhow::Result<()> {
        if self.error.is_none() {
            self.view.begin_netns(&mut self.buffer, netns);
            let dumped = reading::entries(socket, dump::Table::Conntrack, plan, self).await;
            if dumped.is_err() {
                dump::Sink::restart(self);
            }
            dumped?;
            if let Target::File(file) = &self.target {
                ended::check(format!("saving entries to {}", file.path().display()))
                    .map_err(|ended| ended.leaving(file.target_state()))?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            self.error = match &mut self.target {
                Target::Stdout => {
                    let mut stdout = io::stdout().lock();
                    stdout.write_all(&self.buffer).and_then(|()| stdout.flush())
                }
                Target::File(file) => file.file.write_all(&self.buffer),
            }
            .err();
        }
        self.buffer.clear();
        self.written = true;
    }
}

impl dump::Sink for Save<'_> {
    fn begin(&mut self) {
        if let Target::File(_) = self.target {
            self.flush();
        }
        self.begun_at = match &mut self.target {
            Target::Stdout => self.buffer.len() as u64,
            Target::File(file) => file.file.stream_position().unwrap_or(0),
        };
        self.saved_before = self.saved;
        self.written = false;
    }

    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if !self.filter.meets(entry) {
            return ControlFlow::Continue(());
        }
        self.saved += 1;
        self.view.entry(&mut self.buffer, entry, &About::default());
        let held = matches!(self.target, Target::Stdout) && !self.written;
        if self.buffer.len() >= if held { HOLD_BYTES } else { FLUSH_BYTES } {
            self.flush();
        }
        if self.error.is_some() || interrupt::caught().is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn restart(&mut self) -> bool {
        match &mut self.target {
            Target::Stdout if self.written => return false,
            Target::Stdout => self.buffer.truncate(usize::try_from(self.begun_at).unwrap_or(0)),
            Target::File(file) => {
                self.buffer.clear();
                if let Err(error) = file.truncate(self.begun_at) {
                    self.error = Some(error);
                    return false;
                }
            }
        }
        self.saved = self.saved_before;
        true
    }
}
