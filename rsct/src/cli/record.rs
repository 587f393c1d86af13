//! `rsct record`: writes what rsct observes to a file.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use tokio::time::sleep;

use super::{
    FilterArgs, UsageError, duration,
    input_args::Moment,
    latency::{self, ByArg},
    namespaces::NetnsArg,
    privileges_arg::PrivilegesArg,
    shared_args::{AttachArg, DurationArg, ShowHooksArg},
    watching::records_have,
};
use crate::{
    confine::{self, Needs, Task},
    kernel::{interfaces::Names, interrupt::Signals, netns::Selector},
    plural,
    source::{
        live::{Latency, LatencyOptions, Limits, Live, LiveOptions},
        recorded::{Recorder, RecorderOptions},
    },
};

/// Size of the ring buffer: enough for a disk that stops for a moment.
const RING_BYTES: u32 = 8 << 20;

/// Number of files without --keep.
const KEEP: usize = 4;

/// Record what conntrack does to each packet and entry, and why
///
/// Writes records, dumps, causes, losses and names to a file, which `rsct trace`, `why`, `timeout why`, `timeout what-if`,
/// `latency` and `list` read with --input: later, on any machine, without root. Runs until Ctrl-C or --duration.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct record -O fault.rsct --duration 60s
  rsct record -O gateway.rsct --netns all --max-age 10m --keep 7
  rsct record -O slow.rsct --latency=cpu --slower-than 50us")]
pub(super) struct RecordArgs {
    /// File to write; an existing one is replaced
    #[arg(short = 'O', long = "output-file", value_name = "FILE", required = true)]
    file: PathBuf,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    netns: NetnsArg,
    /// Do not record causes
    #[arg(long)]
    no_causes: bool,
    /// Also record durations, for `rsct latency --input`
    ///
    /// They are durations of conntrack's functions, grouped by BY.
    #[arg(
        long,
        value_name = "BY",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "outcome"
    )]
    latency: Option<ByArg>,
    /// Also record each call slower than TIME, with flow and stack
    #[arg(long, value_name = "TIME", value_parser = latency::parse_slower, requires = "latency")]
    slower_than: Option<u64>,
    #[command(flatten)]
    duration: DurationArg,
    /// Begin a new file when FILE has this size (64M, 1G)
    ///
    /// The old file is renamed to FILE.1, that to FILE.2 and so on. Each file can be read alone.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_size: Option<u64>,
    /// Begin a new file when FILE has this age (10m, 1h)
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    max_age: Option<Duration>,
    /// Keep N files: FILE, FILE.1 and so on (default: 4)
    #[arg(long, value_name = "N", value_parser = parse_keep)]
    keep: Option<usize>,
    /// Begin at TIME
    ///
    /// `+10s` is 10 seconds from now; a date such as 2026-11-30T02:00:00 is in local time unless it has a time zone.
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    start_at: Option<Moment>,
    #[command(flatten)]
    attach: AttachArg,
    #[command(flatten)]
    show_hooks: ShowHooksArg,
    #[command(flatten)]
    privileges: PrivilegesArg,
}

pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 256 << 10;
    const WRONG: &str = "expected a size of at least 256K, such as 64M or 1G";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err(WRONG.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| WRONG.to_owned())?;
    number
        .checked_mul(unit)
        .filter(|bytes| *bytes >= LEAST)
        .ok_or_else(|| WRONG.to_owned())
}

fn parse_age(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        age if age < Duration::from_secs(1) => Err("expected a time of at least 1s, such as 10m".to_owned()),
        age => Ok(age),
    }
}

fn parse_keep(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(keep) if (1..=9999).contains(&keep) => Ok(keep),
        _ => Err("expected a number of files from 1 to 9999".to_owned()),
    }
}

/// Runs `rsct record`.
pub(super) fn run(args: &RecordArgs) -> anyhow::Result<ExitCode> {
    crate::waiting::event_loop()?.block_on(record(args))
}

async fn record(args: &RecordArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    records_have(
        &filter,
        "packet records do not have this field; `rsct list` and `rsct watch` accept the option",
    )?;
    if !filter.details.is_empty() {
        return Err(UsageError(
            "a recording cannot be limited to states and statuses, which change: record all of them, and give these options \
             to `rsct trace --input`"
                .to_owned(),
        )
        .into());
    }
    let rotates = args.max_size.is_some() || args.max_age.is_some();
    if args.keep.is_some() && !rotates {
        return Err(UsageError(
            "--keep: there is one file only; give --max-size or --max-age, or omit the option".to_owned(),
        )
        .into());
    }
    let mut needs = Needs::of(Task::Record, args.netns.name().is_some());
    if rotates && args.file != Path::new("-") {
        needs = needs.with_rotated(args.file.clone());
    }
    let confinement = args.privileges.confinement_with(needs)?;
    if let Some(moment) = args.start_at
        && !wait(moment).await?
    {
        return Ok(ExitCode::SUCCESS);
    }
    let measured = args.latency.map(|by| measure(args, by)).transpose()?;
    let mut source = Live::start(LiveOptions {
        filter,
        netns: Selector::from_option(args.netns.name()),
        everywhere: false,
        form: args.attach.form(),
        ring_bytes: RING_BYTES,
        with_refresh: filter.is_empty(),
        with_causes: !args.no_causes,
        log_bpf: false,
        reports_early: false,
        show_hooks: args.show_hooks.show_hooks,
    })?;
    if let Some(latency) = measured {
        source = source.with_latency(latency);
    }
    let options = RecorderOptions {
        path: args.file.clone(),
        max_bytes: args.max_size,
        keep: args.keep.unwrap_or(KEEP),
        command: std::env::args().collect(),
    };
    let recorder = Recorder::create(options, &source.setup, Names::read())?;
    let mut recorder = recorder.with_max_age(args.max_age);
    if let Some(user) = args.privileges.ids()?
        && args.file != Path::new("-")
    {
        confine::give(&args.file, user)
            .with_context(|| format!("giving {} to the user of --user", args.file.display()))?;
    }
    source.confine(confinement);
    let limits = Limits {
        duration: args.duration.duration,
    };
    source.run(&mut recorder, limits).await.context("cannot record")?;
    let figures = recorder.figures();
    let written = recorder.finish();
    for line in figures {
        message!("{line}");
    }
    let written = written?;
    message!(
        "{} in {}",
        plural::count(written.bytes, "byte", "bytes"),
        plural::count(written.files, "file", "files"),
    );
    Ok(ExitCode::SUCCESS)
}

/// Attaches the programs that measure durations, before those of the trace: while they are attached, no record is lost.
fn measure(args: &RecordArgs, by: ByArg) -> anyhow::Result<Latency> {
    latency::has_only_kernel_options(&args.filter)?;
    let latency = Latency::start(LatencyOptions {
        by: by.by(),
        filter: args.filter.filter()?,
        filter_as_typed: latency::as_typed(&args.filter),
        netns: Selector::from_option(args.netns.name()),
        netns_as_typed: args.netns.name().map(str::to_owned),
        slower_than_ns: args.slower_than,
        every: Some(latency::RECORDED_EVERY),
        form: args.attach.form(),
        show_hooks: args.show_hooks.show_hooks,
    });
    latency.context("cannot record the latency")
}

/// Waits until a time. Returns false if a signal comes first.
async fn wait(until: Moment) -> anyhow::Result<bool> {
    let left = match until {
        Moment::After(after) => after,
        Moment::At(at) => {
            let left = at.duration_since(Timestamp::now());
            Duration::try_from(left).map_err(|_| {
                UsageError("--start-at: the time is over; give a later one, or omit the option".to_owned())
            })?
        }
    };
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    Ok(tokio::select! {
        biased;
        () = signals.any() => false,
        () = sleep(left) => true,
    })
}
