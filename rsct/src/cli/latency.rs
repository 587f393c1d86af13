//! `rsct latency`: durations of conntrack's functions.

use std::{io, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{
    FilterArgs, UsageError, duration,
    each_host::{Output, each_host},
    input_args::InputArgs,
    is_broken_pipe,
    namespaces::NetnsArg,
    shared_args::{AttachArg, AttachForm, DurationArg, FormatArg, IntervalArg, ShowHooksArg, TextOrJson},
};
use crate::{
    kernel::{interfaces::Names, interrupt::Signals, netns::Selector},
    latency::By,
    render::{
        color::Palette,
        latency_report::{LatencyReport, Look, Outcome, Requested},
    },
    source::{
        Recorded,
        live::{Latency, LatencyOptions},
    },
    waiting,
};

/// Measure packet cost, confirm, NAT, lock contention and GC delay
///
/// Measures for --duration (default: 10s) and then prints the totals; with --interval also a report for each interval.
/// Ctrl-C stops earlier. Histograms are updated in the kernel; no packet needs a record. Packets that arrive with their entry
/// (loopback, a second traversal) are counted but not timed, because conntrack does nothing for them. Locks and garbage
/// collection belong to no flow and no namespace: the filter and --netns apply only to the entries that garbage collection
/// deletes. With --input, prints the same from a file of `rsct record --latency`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct latency --by proto --duration 1m --interval 10s
  rsct latency -p tcp --slower-than 50us -o json
  rsct latency --input fault.rsct --from +10s --to +20s")]
pub struct LatencyArgs {
    /// Group durations by this key [default: outcome]
    #[arg(long, value_enum)]
    by: Option<ByArg>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    duration: DurationArg,
    #[command(flatten)]
    interval: IntervalArg,
    /// Also print each call slower than TIME, with its flow and kernel stack
    #[arg(long, value_name = "TIME", value_parser = parse_slower)]
    slower_than: Option<u64>,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
    #[command(flatten)]
    attach: AttachArg,
    #[command(flatten)]
    show_hooks: ShowHooksArg,
}

/// Values of `--by` and of `--latency`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ByArg {
    /// Outcome: created, tracked, invalid, dropped, …
    #[default]
    Outcome,
    /// IP protocol
    Proto,
    /// Network namespace (see also --netns all)
    Netns,
    /// Netfilter hook
    Hook,
    /// CPU
    Cpu,
}

impl ByArg {
    pub(super) fn by(self) -> By {
        match self {
            Self::Outcome => By::Outcome,
            Self::Proto => By::Proto,
            Self::Netns => By::Netns,
            Self::Hook => By::Hook,
            Self::Cpu => By::Cpu,
        }
    }
}

/// Filter options that the eBPF programs apply.
const IN_KERNEL: [&str; 12] = [
    "family",
    "proto",
    "src",
    "dst",
    "reply-src",
    "reply-dst",
    "host",
    "sport",
    "dport",
    "port",
    "zone",
    "mark",
];

/// Runs `rsct latency`.
pub fn run(args: &LatencyArgs) -> anyhow::Result<ExitCode> {
    if args.input.is_given() {
        suits_a_recording(args)?;
        return each_host(&args.input, args.output.is_json(), |input, output| {
            written(replay(args, input, output)?)
        });
    }
    written(waiting::event_loop()?.block_on(measure(args))?)?;
    Ok(ExitCode::SUCCESS)
}

/// A broken pipe is no error.
fn written(printed: io::Result<()>) -> anyhow::Result<()> {
    match printed {
        Err(error) if !is_broken_pipe(&error) => Err(error).context("cannot write to standard output"),
        _ => Ok(()),
    }
}

/// Measures, and prints the reports.
async fn measure(args: &LatencyArgs) -> anyhow::Result<io::Result<()>> {
    let filter = args.filter.filter()?;
    has_only_kernel_options(&args.filter)?;
    let signals = Signals::listen().context("cannot listen for signals")?;
    let mut latency = Latency::start(LatencyOptions {
        by: args.by.unwrap_or_default().by(),
        filter,
        filter_as_typed: as_typed(&args.filter),
        netns: Selector::from_option(args.netns.name()),
        netns_as_typed: args.netns.name().map(str::to_owned),
        slower_than_ns: args.slower_than,
        every: args.interval.interval,
        form: args.attach.form(),
        show_hooks: args.show_hooks.show_hooks,
    })?;
    let mut output = Output::stdout();
    let mut report = report(args, None, Names::default(), &mut output);
    let duration = args.duration.duration.unwrap_or(DEFAULT_DURATION);
    latency.run(&mut report, signals, duration).await?;
    match report.finish() {
        Outcome::Printed(printed) => Ok(printed),
        // Every measurement begins and ends with a reading.
        Outcome::Refused(_) | Outcome::Missing | Outcome::Empty => Ok(Ok(())),
    }
}

/// Prints the reports of a recording.
fn replay(args: &LatencyArgs, input: &InputArgs, output: &mut Output) -> anyhow::Result<io::Result<()>> {
    let mut recorded = input
        .open(args.interval.interval.is_some())?
        .context("no recording is given")?;
    let names = recorded.start.names.clone();
    let mut report = report(args, Some(&recorded), names, output);
    recorded.files.run(&mut report, recorded.window)?;
    let file = input.shown();
    match report.finish() {
        Outcome::Printed(printed) => Ok(printed),
        Outcome::Refused(refusal) => Err(UsageError(refusal.to_string()).into()),
        Outcome::Missing => anyhow::bail!("{file} has no latency: record with `rsct record --latency`"),
        Outcome::Empty => anyhow::bail!(
            "{file} has fewer than two readings of the latency counters between --from and --to: give a longer time"
        ),
    }
}

fn report<'a>(
    args: &LatencyArgs,
    recorded: Option<&Recorded>,
    names: Names,
    output: &'a mut Output,
) -> LatencyReport<&'a mut Output> {
    let every = args.interval.interval;
    let look = Look {
        is_json: args.output.is_json(),
        palette: Palette::for_stream(&io::stdout()),
        requested: Requested {
            by: args.by.map(ByArg::by),
            slower_than_ns: args.slower_than,
            every_ns: every.map(|every| u64::try_from(every.as_nanos()).unwrap_or(u64::MAX)),
        },
        recorded_ns: recorded.map(|recorded| recorded.window.from_ns..=recorded.window.to_ns),
    };
    LatencyReport::new(look, names, output)
}

/// Options that a recording cannot answer.
fn suits_a_recording(args: &LatencyArgs) -> Result<(), UsageError> {
    let filter = args.filter.given();
    let refused = [
        (
            args.duration.duration.is_some(),
            "--duration: a recording has an end of its own; give --to",
        ),
        (
            args.attach.attach != AttachForm::Auto,
            "--attach: nothing is attached to read a recording; omit the option",
        ),
        (
            args.show_hooks.show_hooks,
            "--show-hooks: nothing is attached to read a recording; `-o json` prints the recorder's hooks",
        ),
        (
            args.netns.name().is_some(),
            "--netns: the recorded durations are not separate for each namespace; omit the option, or record with it",
        ),
    ];
    if let Some((_, why)) = refused.into_iter().find(|(is_given, _)| *is_given) {
        return Err(UsageError(why.to_owned()));
    }
    match filter.first() {
        Some((option, _)) => Err(UsageError(format!(
            "--{option}: the recorded durations are not separate for each flow; omit the option, or record with it"
        ))),
        None => Ok(()),
    }
}

/// Refuses filter options that the programs that measure do not apply.
pub(super) fn has_only_kernel_options(filter: &FilterArgs) -> Result<(), UsageError> {
    let mut given = filter.given().into_iter();
    match given.find(|(option, _)| !IN_KERNEL.contains(option)) {
        Some((option, _)) => Err(UsageError(format!(
            "--{option}: durations are counted in the kernel, where the eBPF programs do not apply this option; `rsct list` \
             accepts it"
        ))),
        None => Ok(()),
    }
}

/// The filter's options, and their values as typed.
pub(super) fn as_typed(filter: &FilterArgs) -> Vec<(String, String)> {
    let given = filter.given().into_iter();
    given
        .map(|(option, value)| (option.to_owned(), value.to_owned()))
        .collect()
}

/// The duration of a measurement without `--duration`.
const DEFAULT_DURATION: Duration = Duration::from_secs(10);
/// The time between two readings of a recording.
pub(super) const RECORDED_EVERY: Duration = Duration::from_secs(1);

/// Parses a time other than 0 in nanoseconds, also in us and ns.
pub(super) fn parse_slower(text: &str) -> Result<u64, String> {
    let short = [("us", 1e3), ("ns", 1.0)]
        .into_iter()
        .find_map(|(unit, ns)| Some((text.strip_suffix(unit)?, ns)));
    let ns = match short {
        Some((digits, unit)) => {
            let number: f64 = digits
                .parse()
                .map_err(|_| "expected a number with a unit, such as 50us or 2ms".to_owned())?;
            if !(0.0..=1e18).contains(&(number * unit)) {
                return Err("a time cannot be negative or that long".to_owned());
            }
            (number * unit) as u64
        }
        None => u64::try_from(duration::parse(text)?.as_nanos()).unwrap_or(u64::MAX),
    };
    if ns == 0 {
        return Err("every call is slower than that: expected a time such as 50us or 2ms".to_owned());
    }
    Ok(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_than_accepts_short_times() {
        for (text, ns) in [
            ("50us", 50_000),
            ("1.5us", 1500),
            ("800ns", 800),
            ("2ms", 2_000_000),
            ("1s", 1_000_000_000),
        ] {
            assert_eq!(parse_slower(text), Ok(ns), "{text}");
        }
        for text in ["0us", "0", "us", "-5us", "1e30us", "NaNus", "5 us", "fast"] {
            assert!(parse_slower(text).is_err(), "{text}");
        }
    }
}
