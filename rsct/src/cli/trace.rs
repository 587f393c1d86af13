//! `rsct trace`: the story of every packet, live.

use std::{cell::RefCell, io::Write, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{
    FilterArgs, UsageError, duration, is_broken_pipe,
    namespaces::NetnsArg,
    probing::{AttachArg, Attaching, Probing},
    reading::ExplainArg,
};
use crate::{
    kernel::{clock, interfaces::Names, netns::Selector},
    message,
    render::{color::Palette, known, story::Story, timeout_history::TimeoutHistory, trace_json::TraceJson},
    schema::Command,
    trace::{
        join::Join,
        output::{Format, Output},
        run::Limits,
    },
};

/// The ring's size unless another is asked for.
const RING_KIB: u32 = 4096;

/// Tell what conntrack does to every packet and every entry, as it happens.
#[derive(Debug, Args)]
pub struct TraceArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    #[command(flatten)]
    netns: NetnsArg,
    /// How lines look.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputArg,
    /// Stop after this many lines.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after this long: 10s, 5m, 500ms.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// Do not attach the hooks that report causes
    ///
    /// Lines of invalid packets, failed inserts and deletions then lack `why`; the trace starts and stops with about 25
    /// hooks fewer. With `-o none` they are not attached anyway.
    #[arg(long)]
    no_causes: bool,
    /// End with the table as both sources know it.
    #[arg(long)]
    table: bool,
    /// End with the differences between the two sources, one by one.
    #[arg(long)]
    differences: bool,
    /// How to attach.
    #[arg(long, value_enum, default_value_t)]
    attach: AttachArg,
    /// Size of the ring that records wait in, in KiB: a power of two.
    #[arg(long, value_name = "KIB", default_value_t = RING_KIB, value_parser = parse_ring)]
    ring_size: u32,
    /// Show which hook is attached how before the first line.
    #[arg(long)]
    show_hooks: bool,
    /// Show the timeout each packet asks for, and refreshes outside a packet's pass, with filters too:
    /// without a filter they are shown anyway, with one this makes rejected packets dearer.
    #[arg(long)]
    refresh: bool,
    /// Show the programs' own diagnostics.
    #[arg(long)]
    log_bpf: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OutputArg {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// None: only the closing summary.
    None,
}

fn parse_ring(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(kib) if kib.is_power_of_two() && (4..=1 << 20).contains(&kib) => Ok(kib),
        _ => Err("expected a power of two from 4 to 1048576".to_owned()),
    }
}

/// What lines tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// All that happens.
    Everything,
    /// What becomes of timeouts.
    Timeouts,
}

impl TraceArgs {
    /// A trace with all that is not given as it is by itself.
    pub(super) fn of_timeouts(
        filter: FilterArgs,
        explain: ExplainArg,
        netns: NetnsArg,
        json: bool,
        duration: Option<Duration>,
        attach: AttachArg,
    ) -> Self {
        Self {
            filter,
            explain,
            netns,
            output: if json { OutputArg::Json } else { OutputArg::Text },
            count: None,
            duration,
            // Lines of timeouts have no causes.
            no_causes: true,
            table: false,
            differences: false,
            attach,
            ring_size: RING_KIB,
            show_hooks: false,
            // What a packet asked for says best which timeout it is.
            refresh: true,
            log_bpf: false,
        }
    }
}

/// Runs `rsct trace`.
pub fn run(args: &TraceArgs) -> anyhow::Result<ExitCode> {
    run_telling(args, Telling::Everything)
}

/// Runs a trace whose lines tell of something.
pub(super) fn run_telling(args: &TraceArgs, telling: Telling) -> anyhow::Result<ExitCode> {
    let event_loop = crate::waiting::event_loop()?;
    event_loop.block_on(trace(args, telling))
}

async fn trace(args: &TraceArgs, telling: Telling) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    if args.count.is_some() && args.output == OutputArg::None {
        return Err(UsageError("--count: `-o none` writes no lines to count".to_owned()).into());
    }
    args.explain.tell_placed(&filter.placed_in_trace());
    let mut probing = Probing::start(&Attaching {
        filter,
        netns: args.netns.name(),
        everywhere: false,
        with_causes: !args.no_causes && args.output != OutputArg::None,
        form: args.attach.form(),
        ring_bytes: args.ring_size * 1024,
        with_refresh: args.refresh || filter.is_empty(),
        log_bpf: args.log_bpf,
        shows_at_once: telling == Telling::Everything,
        show_hooks: args.show_hooks,
    })?;

    let ticks = probing.ticks;
    let started_ns = probing.started_ns;
    let authority = &probing.authority;
    let story = Story {
        ticks,
        start_ns: started_ns,
        show_netns: authority.only_netns().is_none(),
        palette: Palette::for_stream(&std::io::stdout()),
        names: match args.output {
            OutputArg::Text => Names::of(&Selector::from_option(args.netns.name())),
            OutputArg::Json | OutputArg::None => Names::default(),
        },
    };
    let format = match args.output {
        OutputArg::Text if telling == Telling::Timeouts => Format::Timeouts(TimeoutHistory::new(story)),
        OutputArg::Text => Format::Text(story),
        OutputArg::Json => Format::Json(TraceJson::new(ticks)),
        OutputArg::None => Format::None,
    };
    let mut output = Output::new(format, std::io::stdout());
    if telling == Telling::Timeouts {
        output.only_of_timeouts();
    }
    let written = output.header(match telling {
        Telling::Everything => Some(Command::Trace),
        // `rsct timeout why` has printed entries before.
        Telling::Timeouts => None,
    });
    let join = RefCell::new(probing.join(output, filter.details, args.count));
    join.borrow_mut().wrote(written);
    let limits = Limits {
        duration: args.duration,
    };
    let summary = probing.run(&join, &limits).await?;
    let mut join = join.into_inner();
    if join.write_error.is_none() {
        finish(&mut join, args, &summary);
    }
    message::write(summary.text());
    match join.write_error {
        Some(error) if !is_broken_pipe(&error) => {
            Err(error).context("cannot write the trace to standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// What comes after the last line.
fn finish<W: Write>(join: &mut Join<W>, args: &TraceArgs, summary: &crate::trace::summary::Summary) {
    let json = join.output.is_json();
    let table = &join.table;
    let result = join.output.line(|out| {
        if args.differences {
            for difference in &table.reconciliation().differences {
                known::difference(out, json, difference);
            }
        }
        if args.table {
            known::table(out, json, table, clock::monotonic_ns());
        }
        if json {
            summary.json(out);
        }
    });
    if let Err(error) = result.and_then(|()| join.output.flush()) {
        join.write_error = Some(error);
    }
}
