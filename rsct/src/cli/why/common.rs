//! Shared by all topics: their options, and the watch.

use std::{
    cell::RefCell,
    io::{self, Write as _},
    rc::Rc,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;

use crate::{
    cli::{
        FilterArgs, is_broken_pipe,
        namespaces::NetnsArg,
        probing::{Probing, TraceOptions, report_watching},
        shared_args::{AttachArg, FormatArg, TextOrJson, WatchTimeArg},
    },
    filter::Filter,
    flow::FlowTable,
    kernel::interfaces::Names,
    message,
    observe::Observer,
    schema::Command,
    trace::{
        output::{Format, Output as Lines},
        run::Limits,
        summary::Summary,
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

/// Options of the watch, and the format of the report.
#[derive(Clone, Debug, Args)]
pub(super) struct WatchingArgs {
    #[command(flatten)]
    pub(super) duration: WatchTimeArg,
    #[command(flatten)]
    pub(super) output: FormatArg<TextOrJson>,
    #[command(flatten)]
    pub(super) attach: AttachArg,
    #[command(flatten)]
    pub(super) netns: NetnsArg,
}

/// Size of the ring buffer, which holds the records that arrive while tables are read.
const RING_BYTES: u32 = 8 << 20;

/// A watch whose programs are attached, and whose records are not read yet.
pub(super) struct Watch {
    pub(super) probing: Probing,
    /// Names of namespaces and interfaces.
    pub(super) names: Names,
    duration: Duration,
    json: bool,
}

/// The result of a watch.
pub(super) struct Watched {
    /// The flows at the end.
    pub(super) table: FlowTable,
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
    /// Attaches the programs: from now on no record is missed.
    pub(super) fn start(args: &WatchingArgs, scope: &WatchScope) -> anyhow::Result<Self> {
        let probing = Probing::start(&TraceOptions {
            filter: scope.filter,
            netns: args.netns.name(),
            everywhere: scope.everywhere,
            with_causes: scope.with_causes,
            form: args.attach.form(),
            ring_bytes: RING_BYTES,
            with_refresh: scope.with_refresh,
            log_bpf: false,
            reports_early: false,
            show_hooks: false,
        })?;
        Ok(Self {
            probing,
            names: Names::read(),
            duration: args.duration.duration,
            json: args.output.is_json(),
        })
    }

    /// Passes observations to an observer until the duration is over or a signal arrives. Reports losses on stderr.
    /// `command` is for the first line of JSON output, unless that is printed already.
    pub(super) async fn run<T: Observer + 'static>(
        mut self,
        observer: T,
        command: Option<Command>,
    ) -> anyhow::Result<(Rc<RefCell<T>>, Watched)> {
        let observer = Rc::new(RefCell::new(observer));
        let format = Format::Observed {
            by: Box::new(Rc::clone(&observer)),
            json: self.json,
        };
        let mut lines = Lines::new(format, io::stdout());
        let written = lines.header(command);
        let details = Filter::default().details;
        let join = RefCell::new(self.probing.join(lines, details, None));
        join.borrow_mut().wrote(written);
        if !self.json {
            report_watching(self.duration);
        }
        let limits = Limits {
            duration: Some(self.duration),
        };
        let summary = self.probing.run(&join, &limits).await?;
        let join = join.into_inner();
        match join.write_error {
            Some(error) if !is_broken_pipe(&error) => {
                return Err(error).context("writing events to standard output");
            }
            _ => {}
        }
        message::write(summary.text());
        self.names.read_again();
        let watched = Watched {
            table: join.table,
            summary,
            names: self.names,
        };
        Ok((observer, watched))
    }
}

/// Writes to standard output; a broken pipe is no error.
pub(super) fn print(out: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(out).and_then(|()| stdout.flush()) {
        Err(error) if !is_broken_pipe(&error) => Err(error).context("writing the answer to standard output"),
        _ => Ok(()),
    }
}
