//! `rsct trace`: prints every packet and entry event, live.

use std::{
    io::{self, IsTerminal as _, Stdout},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{
    FilterArgs, UsageError,
    input_args::{InputArgs, netns_of},
    is_broken_pipe,
    namespaces::NetnsArg,
    privileges_arg::PrivilegesArg,
    reading::ExplainArg,
    shared_args::{AttachArg, CountArg, DurationArg, FormatArg, ShowHooksArg, TextOrJson},
    trace_merged,
    trace_output::{closing, printer},
    watching::records_have,
};
use crate::{
    confine::Task,
    filter::Filter,
    kernel::{interfaces::Names, netns::Selector},
    message,
    observe::{Joined, Model, Observer as _, Selection, Summary},
    render::{
        color::Palette,
        printed::{Printed, Printer},
        trace_summary,
        trace_text::{Look, Style},
    },
    source::{
        Recorded, Source,
        live::{Limits, LiveOptions},
    },
};

/// Default size of the ring buffer.
const RING_KIB: u32 = 4096;

/// Print what conntrack does to each packet and entry, and why
///
/// Runs until Ctrl-C, --count or --duration, and then prints a summary on stderr. Entries that exist at the start are read
/// from ctnetlink, so that packets of old flows are recognised.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct trace -p tcp --dport 443
  rsct trace --netns all -o json --duration 10s
  rsct trace -s 10.0.0.5 --no-causes --count 100")]
pub struct TraceArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    #[command(flatten)]
    pub(super) netns: NetnsArg,
    #[command(flatten)]
    pub(super) output: FormatArg<TraceFormat>,
    /// Print all columns, full wording, and absolute TCP numbers next to relative ones
    #[arg(long)]
    wide: bool,
    /// Print absolute TCP sequence and acknowledgement numbers
    ///
    /// By default, text lines print them relative to the first packet of their direction; `abs` marks a number whose
    /// base is unknown. JSON always has the absolute ones.
    #[arg(long)]
    absolute: bool,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    pub(super) count: CountArg,
    #[command(flatten)]
    duration: DurationArg,
    /// Do not attach the hooks that report causes
    ///
    /// Without them, lines of invalid packets, failed inserts and deletions have no `why`, and the trace attaches about 25
    /// hooks fewer. With `-o none` rsct never attaches them.
    #[arg(long)]
    no_causes: bool,
    /// Finally print the table of flows from records and dumps
    #[arg(long)]
    pub(super) table: bool,
    /// Finally print each difference between records and dumps
    #[arg(long)]
    pub(super) differences: bool,
    #[command(flatten)]
    attach: AttachArg,
    /// Size of the ring buffer in KiB, a power of two
    #[arg(long, value_name = "KIB", default_value_t = RING_KIB, value_parser = parse_ring)]
    ring_size: u32,
    #[command(flatten)]
    show_hooks: ShowHooksArg,
    /// Attach the refresh hook although a filter is given
    ///
    /// The hook reports the timeout that each packet requests, and refreshes outside a packet's traversal. It is always
    /// attached without a filter; with one, it also costs packets that do not match.
    #[arg(long)]
    refresh: bool,
    /// Print the diagnostics of the eBPF programs
    #[arg(long)]
    log_bpf: bool,
    #[command(flatten)]
    pub(super) privileges: PrivilegesArg,
}

/// Formats of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TraceFormat {
    /// Text for people
    Text,
    /// JSON objects
    Json,
    /// No lines, only the summary
    None,
}

fn parse_ring(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(kib) if kib.is_power_of_two() && (4..=1 << 20).contains(&kib) => Ok(kib),
        _ => Err("expected a power of two from 4 to 1048576".to_owned()),
    }
}

/// The subject of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// All packets and entries.
    Everything,
    /// Changes of timeouts.
    Timeouts,
}

impl TraceArgs {
    /// The layout of text lines.
    pub(super) fn style(&self) -> Style {
        Style {
            wide: self.wide,
            absolute: self.absolute,
        }
    }

    /// The arguments of a trace of timeouts, with defaults for all others.
    pub(super) fn of_timeouts(
        filter: FilterArgs,
        explain: ExplainArg,
        netns: NetnsArg,
        output: FormatArg<TextOrJson>,
        input: InputArgs,
        duration: DurationArg,
        attach: AttachArg,
    ) -> Self {
        Self {
            filter,
            explain,
            netns,
            output: FormatArg {
                format: match output.format {
                    TextOrJson::Text => TraceFormat::Text,
                    TextOrJson::Json => TraceFormat::Json,
                },
            },
            wide: false,
            absolute: false,
            input,
            count: CountArg { count: None },
            duration,
            // Lines of timeouts have no causes.
            no_causes: true,
            table: false,
            differences: false,
            attach,
            ring_size: RING_KIB,
            show_hooks: ShowHooksArg { show_hooks: false },
            // The requested timeout identifies its source best.
            refresh: true,
            log_bpf: false,
            privileges: PrivilegesArg::default(),
        }
    }
}

/// Runs `rsct trace`.
pub fn run(args: &TraceArgs) -> anyhow::Result<ExitCode> {
    run_about(args, Subject::Everything)
}

/// Runs a trace of one subject.
pub(super) fn run_about(args: &TraceArgs, subject: Subject) -> anyhow::Result<ExitCode> {
    let event_loop = crate::waiting::event_loop()?;
    event_loop.block_on(trace(args, subject))
}

async fn trace(args: &TraceArgs, subject: Subject) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let format = args.output.format;
    if args.count.count.is_some() && format == TraceFormat::None {
        return Err(UsageError("--count: `-o none` prints no events to count".to_owned()).into());
    }
    records_have(
        &filter,
        "packet records do not have this field; `rsct list` and `rsct watch` accept the option",
    )?;
    args.explain.report_placed(&filter.conditions_in_trace());
    let mut recorded = match args.input.is_given() {
        true => {
            let prints_lines = io::stdout().is_terminal() && args.output.format != TraceFormat::None;
            args.input.open_by_boot(prints_lines)?
        }
        false => Vec::new(),
    };
    if recorded.len() > 1 {
        return trace_merged::run(args, &filter, subject, recorded);
    }
    let (mut source, selection) = open(args, &filter, subject, recorded.pop())?;
    let mut setup = source.setup().clone();
    setup.with_causes &= with_causes(args);
    // A part of a recording does not show which hooks should have fired.
    setup.is_unfiltered &= source.is_live() || selection.is_all();
    let mut joined = Joined {
        model: Model::new(&setup, selection),
        observer: observer(args, subject, &source),
    };
    let limits = Limits {
        duration: args.duration.duration,
    };
    source.run(&mut joined, limits).await?;
    finish(joined, args)
}

pub(super) fn with_causes(args: &TraceArgs) -> bool {
    !args.no_causes && args.output.format != TraceFormat::None
}

/// Opens the recording, or attaches the programs.
fn open(
    args: &TraceArgs,
    filter: &Filter,
    subject: Subject,
    recorded: Option<Recorded>,
) -> anyhow::Result<(Source, Selection)> {
    if let Some(recorded) = recorded {
        let netns = netns_of(args.netns.name(), &recorded.start.names)?;
        let selection = Selection::recorded(filter, netns, recorded.window.from_ns);
        return Ok((Source::Recorded(Box::new(recorded)), selection));
    }
    // Before anything is attached: the option may be wrong.
    let confinement = args.privileges.confinement(Task::Trace, &args.netns)?;
    let mut source = Source::live(LiveOptions {
        filter: *filter,
        netns: Selector::from_option(args.netns.name()),
        everywhere: false,
        with_causes: with_causes(args),
        form: args.attach.form(),
        ring_bytes: args.ring_size * 1024,
        with_refresh: args.refresh || filter.is_empty(),
        log_bpf: args.log_bpf,
        reports_early: subject == Subject::Everything,
        show_hooks: args.show_hooks.show_hooks,
    })?;
    source.confine(confinement);
    Ok((source, Selection::live(filter)))
}

/// Prints what `args` select of a stream.
fn observer(args: &TraceArgs, subject: Subject, source: &Source) -> TraceOutput {
    let setup = source.setup();
    let look = Look {
        ticks: setup.hz,
        start_ns: setup.started_ns,
        show_netns: setup.only_netns.is_none(),
        style: args.style(),
        palette: Palette::for_stream(&io::stdout()),
        names: match source.names() {
            Some(names) => names.clone(),
            None => Names::of(&Selector::from_option(args.netns.name())),
        },
    };
    let mut begin = Vec::new();
    let (printer, form) = printer(args, subject, look, &mut begin);
    let mut printed = Printed::new(printer, form, io::stdout()).at_most(args.count.count);
    if args.output.format == TraceFormat::None {
        printed = printed.without_explanations();
    }
    printed.lines(|out| out.extend_from_slice(&begin));
    printed
}

type TraceOutput = Printed<Box<dyn Printer>, Stdout>;

/// Writes what follows the last event.
fn finish(joined: Joined<TraceOutput>, args: &TraceArgs) -> anyhow::Result<ExitCode> {
    let Joined { model, mut observer } = joined;
    let summary = Summary::of(&model);
    let is_json = observer.is_json();
    if !observer.has_failed() {
        observer.lines(|out| closing(out, args, is_json, &model, &summary));
    }
    let failure = observer.finish();
    message::write(trace_summary::text(&summary));
    match failure {
        Some(error) if !is_broken_pipe(&error) => {
            Err(error).context("cannot write the trace to standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
