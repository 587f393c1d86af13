//! `rsct top`: rates, causes, flows, sources and tasks, live.

mod app;
mod output;
mod terminal;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use self::{
    app::App,
    output::{Figures, Lines, Sink},
    terminal::Screen,
};
use super::{
    FilterArgs, UsageError,
    input_args::{InputArgs, netns_of},
    is_broken_pipe,
    namespaces::NetnsArg,
    privileges_arg::PrivilegesArg,
    shared_args::{AttachArg, DurationArg, IntervalArg},
    watching::records_have,
};
use crate::{
    confine::Task,
    filter::Filter,
    kernel::{interfaces::Names, netns::Selector},
    observe::Selection,
    snapshot::Collector,
    source::{
        Source,
        live::{Limits, LiveOptions},
    },
};

/// Size of the ring buffer.
const RING_BYTES: u32 = 8 << 20;

/// Show conntrack's rates, causes, flows, sources and tasks, live
///
/// Draws the totals, flows, causes, sources, destinations, tasks, namespaces, entries and durations of each interval. `?` lists
/// the keys. Without a terminal, -o text or -o json prints the same figures.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct top -p tcp --dport 443 --interval 2s
  rsct top -o text --count 1
  rsct top --input fault.rsct --speed 10")]
pub(super) struct TopArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    interval: IntervalArg,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "screen")]
    output: TopFormat,
    /// Stop after N intervals
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    input: InputArgs,
    /// Replay a recording N times as fast as it was recorded
    ///
    /// The screen's default is 1; text and JSON do not wait without this option.
    #[arg(long, value_name = "N", requires = "input", value_parser = parse_speed)]
    speed: Option<f64>,
    /// Draw with ASCII characters only
    #[arg(long)]
    ascii: bool,
    #[command(flatten)]
    duration: DurationArg,
    #[command(flatten)]
    attach: AttachArg,
    #[command(flatten)]
    privileges: PrivilegesArg,
}

/// Forms of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TopFormat {
    /// A screen, with keys
    Screen,
    /// Tables for people
    Text,
    /// JSON objects
    Json,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("expected a number above 0, such as 10".to_owned()),
    }
}

/// Runs `rsct top`.
pub(super) fn run(args: &TopArgs) -> anyhow::Result<ExitCode> {
    crate::waiting::event_loop()?.block_on(top(args))
}

async fn top(args: &TopArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    records_have(
        &filter,
        "packet records do not have this field; `rsct list` and `rsct watch` accept the option",
    )?;
    let is_screen = args.output == TopFormat::Screen;
    if is_screen {
        has_terminal()?;
    }
    let (mut source, selection) = open(args, &filter)?;
    let names = match source.names() {
        Some(names) => names.clone(),
        None => Names::of(&Selector::from_option(args.netns.name())),
    };
    let interval = args.interval.interval.unwrap_or(Duration::from_secs(1));
    let speed = match (source.is_live(), args.speed, is_screen) {
        (true, ..) | (false, None, false) => None,
        (false, speed, _) => Some(speed.unwrap_or(1.0)),
    };
    // A filter of details needs the reply directions of all entries.
    let counts_silent = source.is_live() && selection.is_all();
    let mut collector = Collector::new(source.setup(), selection);
    if counts_silent {
        collector = collector.counting_silent();
    }
    if is_screen {
        collector = collector.with_history();
    }
    let limits = Limits {
        duration: args.duration.duration,
    };
    let sink = match args.output {
        TopFormat::Screen => {
            let app = App::new(title(args), args.ascii, source.is_live());
            Sink::Screen(Box::new(Screen::open(app).context("cannot open the screen")?))
        }
        TopFormat::Text => Sink::Lines(Lines::text(io::stdout())),
        TopFormat::Json => Sink::Lines(Lines::json(io::stdout())),
    };
    let mut figures = Figures::new(collector, names, interval, sink, args.count, speed);
    source.run(&mut figures, limits).await?;
    match figures.finish() {
        Some(error) if !is_broken_pipe(&error) => Err(error).context("cannot write the figures"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Refuses a screen where there is none.
fn has_terminal() -> Result<(), UsageError> {
    let lacks = |lack: &str| {
        UsageError(format!(
            "rsct top cannot draw: {lack}; use -o text --count 1, or -o json"
        ))
    };
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(lacks("standard input and output are not a terminal"));
    }
    match std::env::var("TERM").as_deref() {
        Ok("dumb") => Err(lacks("TERM is dumb")),
        Ok("unknown") => Err(lacks("TERM is unknown")),
        Ok("") | Err(_) => Err(lacks("TERM is not set")),
        Ok(_) => Ok(()),
    }
}

/// Opens the recording, or attaches the programs.
fn open(args: &TopArgs, filter: &Filter) -> anyhow::Result<(Source, Selection)> {
    if let Some(recorded) = args.input.open(true)? {
        let netns = netns_of(args.netns.name(), &recorded.start.names)?;
        let selection = Selection::recorded(filter, netns, recorded.window.from_ns);
        return Ok((Source::Recorded(Box::new(recorded)), selection));
    }
    // Before anything is attached: the option may be wrong.
    let confinement = args.privileges.confinement(Task::Top, &args.netns)?;
    let mut source = Source::live(LiveOptions {
        filter: *filter,
        netns: Selector::from_option(args.netns.name()),
        everywhere: false,
        with_causes: true,
        form: args.attach.form(),
        ring_bytes: RING_BYTES,
        with_refresh: false,
        log_bpf: false,
        reports_early: false,
        show_hooks: false,
    })?;
    source.confine(confinement);
    Ok((source, Selection::live(filter)))
}

/// The source, for the title.
fn title(args: &TopArgs) -> String {
    match (args.input.is_given(), args.netns.name()) {
        (true, _) => format!("rsct top {}", args.input.shown()),
        (false, Some(netns)) => format!("rsct top netns {netns}"),
        (false, None) => "rsct top".to_owned(),
    }
}
