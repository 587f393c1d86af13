//! What all topics have in common: their options, and the watch that they answer from.

use std::{
    cell::RefCell,
    io::{self, Write as _},
    rc::Rc,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::{
    cli::{
        FilterArgs, duration, is_broken_pipe,
        namespaces::NetnsArg,
        probing::{AttachArg, Attaching, Probing},
    },
    filter::Filter,
    flow::{Table, observation::Observer},
    kernel::interfaces::Names,
    message,
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

/// How to watch, and how the answer looks.
#[derive(Clone, Debug, Args)]
pub(super) struct WatchingArgs {
    /// How long to watch: 10s, 5m, 500ms. Ctrl-C ends it before, and the answer is given all the same.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    pub(super) duration: Duration,
    /// How the answer looks.
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
    /// How to attach.
    #[arg(long, value_enum, default_value_t)]
    pub(super) attach: AttachArg,
    #[command(flatten)]
    pub(super) netns: NetnsArg,
}

/// How an answer looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// The ring's size: room for what comes while tables are read.
const RING_BYTES: u32 = 8 << 20;

/// Programs at work, and nobody looking at what they tell yet.
pub(super) struct Watch {
    pub(super) probing: Probing,
    /// What namespaces and interfaces are called.
    pub(super) names: Names,
    duration: Duration,
    json: bool,
}

/// What a watch has left behind.
pub(super) struct Watched {
    /// The flows, as they were at the end.
    pub(super) table: Table,
    /// The closing figures.
    pub(super) summary: Summary,
    /// What namespaces and interfaces are called, those that have gone meanwhile too.
    pub(super) names: Names,
}

/// What a watch looks at.
pub(super) struct Reach {
    /// Packets and entries that meet this are told of. It holds for dumps too.
    pub(super) filter: Filter,
    /// Whether those of all namespaces are told of, whichever are asked about.
    pub(super) everywhere: bool,
    /// Whether it is told why packets and entries come to their end.
    pub(super) with_causes: bool,
    /// Whether it is seen which timeouts packets ask for.
    pub(super) with_refresh: bool,
}

impl Watch {
    /// Attaches the programs: from now on nothing of what they tell goes unseen.
    pub(super) fn start(args: &WatchingArgs, reach: &Reach) -> anyhow::Result<Self> {
        let probing = Probing::start(&Attaching {
            filter: reach.filter,
            netns: args.netns.name(),
            everywhere: reach.everywhere,
            with_causes: reach.with_causes,
            form: args.attach.form(),
            ring_bytes: RING_BYTES,
            with_refresh: reach.with_refresh,
            log_bpf: false,
            shows_at_once: false,
            show_hooks: false,
        })?;
        Ok(Self {
            probing,
            names: Names::read(),
            duration: args.duration,
            json: args.output == Output::Json,
        })
    }

    /// Lets an observer take in what happens, until the time is over or until a signal. What there is to say of losses is
    /// said on stderr. `command` is for the first line of JSON output, unless that is printed already.
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
            message!(
                "watching for {} s; Ctrl-C ends it before …",
                self.duration.as_secs_f64()
            );
        }
        let limits = Limits {
            duration: Some(self.duration),
        };
        let summary = self.probing.run(&join, &limits).await?;
        let join = join.into_inner();
        match join.write_error {
            Some(error) if !is_broken_pipe(&error) => {
                return Err(error).context("writing what happens to standard output");
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

/// Writes to standard output; that nobody reads is no error.
pub(super) fn print(out: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(out).and_then(|()| stdout.flush()) {
        Err(error) if !is_broken_pipe(&error) => Err(error).context("writing the answer to standard output"),
        _ => Ok(()),
    }
}
