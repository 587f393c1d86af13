//! `rsct latency`: how long conntrack takes.

mod run;
mod shown;
mod slow;
mod start;

use std::{io, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use self::start::Measuring;
use super::{FilterArgs, UsageError, duration, is_broken_pipe, namespaces::NetnsArg, probing::AttachArg};
use crate::{kernel::interrupt::Signals, latency::By, waiting};

/// Measure how long conntrack takes: a packet's pass, confirming, NAT, the table's locks, garbage collection.
///
/// Histograms are kept in the kernel; no packet gets a record. Packets that come with their entry (loopback, a second
/// pass) are counted and not timed, as nothing is done to them. Locks and garbage collection belong to no flow and no
/// namespace: filters and --netns don't narrow them, but do narrow the entries that garbage collection takes out.
#[derive(Debug, Args)]
pub struct LatencyArgs {
    /// By what durations are told apart.
    #[arg(long, value_enum, default_value_t)]
    by: ByArg,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    netns: NetnsArg,
    /// How long to measure: 10s, 5m, 1h. Ctrl-C ends it before, with what was measured until then.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    duration: Duration,
    /// Show what has come after each such time, and all of it at the end.
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    interval: Option<Duration>,
    /// Also tell of each call that takes longer: its flow, and the way that led to it.
    #[arg(long, value_name = "TIME", value_parser = parse_slower)]
    slower_than: Option<u64>,
    /// How the result looks.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// How to attach.
    #[arg(long, value_enum, default_value_t)]
    attach: AttachArg,
    /// Show how each function is attached to before anything is measured.
    #[arg(long)]
    show_hooks: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ByArg {
    /// What came of it: created, tracked, invalid, dropped, …
    #[default]
    Outcome,
    /// The IP protocol.
    Proto,
    /// The network namespace (see also --netns all).
    Netns,
    /// The netfilter hook.
    Hook,
    /// The CPU.
    Cpu,
}

impl ByArg {
    fn meaning(self) -> By {
        match self {
            Self::Outcome => By::Outcome,
            Self::Proto => By::Proto,
            Self::Netns => By::Netns,
            Self::Hook => By::Hook,
            Self::Cpu => By::Cpu,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Tables, and bars.
    #[default]
    Text,
    /// JSON objects.
    Json,
}

/// The conditions that the programs look at.
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
            "--{option}: durations are counted inside the kernel, where the programs don't look at that; `rsct list` takes it"
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

fn parse_interval(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("an interval has to last, such as 1s or 500ms".to_owned()),
        interval => Ok(interval),
    }
}

/// A time in nanoseconds that is not zero, in shorter units too.
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
        return Err("nothing is faster than that: expected a time such as 50us or 2ms".to_owned());
    }
    Ok(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_than_takes_short_times() {
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
