//! Shared by all topics: their options, and the watch.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;

use crate::{
    cli::{
        FilterArgs,
        each_host::Output,
        input_args::InputArgs,
        is_broken_pipe,
        namespaces::NetnsArg,
        shared_args::{AttachArg, FormatArg, TextOrJson, WatchTimeArg},
        watching::report_watching,
    },
    filter::Filter,
    kernel::{interfaces::Names, netns::Selector},
    message,
    observe::{Joined, Model, Selection, Summary},
    render::{
        printed::{Form, Printed, Printer},
        trace_summary,
    },
    schema::{self, Command},
    source::{
        Source,
        live::{Limits, LiveOptions},
    },
};

/// The options of every topic.
#[derive(Clone, Debug, Args)]
pub(super) struct CommonArgs {
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) watching: WatchingArgs,
}

/// Options of the watch, or the recording in its place, and the format of the report.
#[derive(Clone, Debug, Args)]
#[command(mut_arg("input", |arg| arg.conflicts_with_all(["duration", "attach"])))]
pub(super) struct WatchingArgs {
    #[command(flatten)]
    pub(super) duration: WatchTimeArg,
    #[command(flatten)]
    pub(super) output: FormatArg<TextOrJson>,
    #[command(flatten)]
    pub(super) attach: AttachArg,
    #[command(flatten)]
    pub(super) netns: NetnsArg,
    #[command(flatten)]
    pub(super) input: InputArgs,
}

/// Size of the ring buffer, which holds the records that arrive while tables are read.
const RING_BYTES: u32 = 8 << 20;

/// A source, whose records are not read yet.
pub(super) struct Watch {
    pub(super) source: Source,
    selection: Selection,
    /// Names of namespaces and interfaces.
    pub(super) names: Names,
    duration: Duration,
    with_causes: bool,
    json: bool,
}

/// The result of a watch.
pub(super) struct Watched {
    /// The time of the end, on the monotonic clock of the source.
    pub(super) now_ns: u64,
    /// The flows at the end.
    pub(super) model: Model,
    /// The summary.
    pub(super) summary: Summary,
    /// Names of namespaces and interfaces, including those deleted during the watch.
    pub(super) names: Names,
}

/// The scope of a watch.
pub(super) struct WatchScope {
    /// Filter of packets and entries, and of dumps.
    pub(super) filter: Filter,
    /// Observe packets and entries of all namespaces, whichever are selected.
    pub(super) everywhere: bool,
    /// Report the causes of drops and deletions.
    pub(super) with_causes: bool,
    /// Attach the refresh hook.
    pub(super) with_refresh: bool,
}

impl Watch {
    /// Opens the recording, or attaches the programs: from now on no record is missed.
    pub(super) fn start(args: &WatchingArgs, input: &InputArgs, scope: &WatchScope) -> anyhow::Result<Self> {
        let (source, selection) = match input.open(io::stdout().is_terminal())? {
            Some(recorded) => {
                let selection = Selection::recorded(&scope.filter, None, recorded.window.from_ns);
                (Source::Recorded(Box::new(recorded)), selection)
            }
            None => {
                let source = Source::live(LiveOptions {
                    filter: scope.filter,
                    netns: Selector::from_option(args.netns.name()),
                    everywhere: scope.everywhere,
                    with_causes: scope.with_causes,
                    form: args.attach.form(),
                    ring_bytes: RING_BYTES,
                    with_refresh: scope.with_refresh,
                    log_bpf: false,
                    reports_early: false,
                    show_hooks: false,
                })?;
                (source, Selection::default())
            }
        };
        Ok(Self {
            names: source.names().cloned().unwrap_or_else(Names::read),
            source,
            selection,
            duration: args.duration.duration,
            with_causes: scope.with_causes,
            json: args.output.is_json(),
        })
    }

    /// Passes observations to a printer until the duration is over or a signal arrives. Reports losses on stderr.
    /// `command` is for the first line of JSON output, unless that is printed already.
    pub(super) async fn run<P: Printer>(
        mut self,
        output: &mut Output,
        printer: P,
        command: Option<Command>,
    ) -> anyhow::Result<(P, Watched)> {
        let form = match self.json {
            true => Form::Json,
            false => Form::Messages,
        };
        let mut printed = Printed::new(printer, form, output);
        if let (Some(command), true) = (command, self.json) {
            printed.lines(|out| schema::begin(out, command));
        }
        let mut setup = self.source.setup().clone();
        setup.with_causes &= self.with_causes;
        let mut joined = Joined {
            model: Model::new(&setup, self.selection),
            observer: printed,
        };
        if !self.json && self.source.is_live() {
            report_watching(self.duration);
        }
        let limits = Limits {
            duration: Some(self.duration),
        };
        self.source.run(&mut joined, limits).await?;
        let Joined { model, mut observer } = joined;
        match observer.finish() {
            Some(error) if !is_broken_pipe(&error) => {
                return Err(error).context("writing events to standard output");
            }
            _ => {}
        }
        let summary = Summary::of(&model);
        message::write(trace_summary::text(&summary));
        if self.source.is_live() {
            self.names.read_again();
        }
        self.names.extend(&model.names);
        let watched = Watched {
            now_ns: model.now_ns(),
            model,
            summary,
            names: self.names,
        };
        Ok((observer.printer, watched))
    }
}
