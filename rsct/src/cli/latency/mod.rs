//! `rsct latency`: durations of conntrack's functions.

mod run;
mod shown;
mod slow;
mod start;

use std::{io, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use self::start::Measuring;
use super::{
    FilterArgs, UsageError, duration, is_broken_pipe,
    namespaces::NetnsArg,
    shared_args::{AttachArg, FormatArg, IntervalArg, ShowHooksArg, TextOrJson, WatchTimeArg},
};
use crate::{kernel::interrupt::Signals, latency::By, waiting};

/// Measure packet cost, confirm, NAT, lock contention and GC delay
///
/// Measures for --duration and then prints the totals; with --interval also a report for each interval. Ctrl-C stops
/// earlier. Histograms are updated in the kernel; no packet needs a record. Packets that arrive with their entry
/// (loopback, a second traversal) are counted but not timed, because conntrack does nothing for them. Locks and garbage
/// collection belong to no flow and no namespace: the filter and --netns apply only to the entries that garbage collection
/// deletes.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct latency
  rsct latency --by proto --duration 1m --interval 10s
  rsct latency -p tcp --slower-than 50us -o json")]
pub struct LatencyArgs {
    /// Group durations by this key
    #[arg(long, value_enum, default_value_t)]
    by: ByArg,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    duration: WatchTimeArg,
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ByArg {
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
    fn by(self) -> By {
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
    let filter = args.filter.filter()?;
    if let Some((option, _)) = args
        .filter
        .given()
        .into_iter()
        .find(|(option, _)| !IN_KERNEL.contains(option))
    {
        return Err(UsageError(format!(
            "--{option}: durations are counted in the kernel, where the eBPF programs do not apply this option; `rsct list` \
             accepts it"
        ))
        .into());
    }
    let result = waiting::event_loop()?.block_on(async {
        let signals = Signals::listen().context("cannot listen for signals")?;
        run::run(args, start::start(args, filter)?, signals).await
    });
    match result {
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(is_broken_pipe) => Ok(ExitCode::SUCCESS),
        result => result.map(|()| ExitCode::SUCCESS),
    }
}

/// Parses a time other than 0 in nanoseconds, also in us and ns.
fn parse_slower(text: &str) -> Result<u64, String> {
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
