//! Cost of a packet under each way to trace it.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{
    tracer::Tracer,
    udp::{LoadFlow, PACKETS, PACKETS_IN_ALL, PACKETS_WHILE_STOPPED, PASSES},
};
use crate::lab::json;

/// Target of a packet's tracing, in instructions.
const DRAIN: u64 = 2_700;
const RECORD: u64 = 2_400;
const JSON: u64 = 6_000;
const TEXT: u64 = 8_000;
const KPROBE_JSON: u64 = 9_000;
const REJECTED: u64 = 1_100;
const LATENCY: u64 = 1_100;

const KFUNC: &str = r#"kfunc:nf_conntrack_in { printf("in %llu %p\n", nsecs, args->skb); }
kretfunc:nf_conntrack_in { printf("out %llu %d\n", nsecs, retval); }"#;
const KPROBE: &str = r#"kprobe:nf_conntrack_in { printf("in %llu %p\n", nsecs, arg0); }
kretprobe:nf_conntrack_in { printf("out %llu %d\n", nsecs, retval); }"#;

/// One line of the table.
pub struct Mode {
    /// Its name in the table.
    pub name: &'static str,
    line: &'static [&'static str],
    kind: ModeKind,
    target: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ModeKind {
    Rsct,
    /// Also counts the lines in the file.
    RsctJson,
    /// Records nothing.
    RsctRejecting,
    /// Counts, and records nothing.
    RsctLatency,
    Bpftrace,
}

const fn rsct(
    name: &'static str,
    kind: ModeKind,
    target: Option<u64>,
    line: &'static [&'static str],
) -> Mode {
    Mode {
        name,
        line,
        kind,
        target,
    }
}

const fn rejecting(name: &'static str, line: &'static [&'static str]) -> Mode {
    rsct(name, ModeKind::RsctRejecting, Some(REJECTED), line)
}

const fn bpftrace(name: &'static str, line: &'static [&'static str]) -> Mode {
    rsct(name, ModeKind::Bpftrace, None, line)
}

/// All modes.
#[rustfmt::skip]
pub const MODES: &[Mode] = &[
    rsct("rsct trace -o none", ModeKind::Rsct, Some(DRAIN), &["rsct", "trace", "-o", "none", "--show-hooks"]),
    rsct("rsct trace -o json", ModeKind::RsctJson, Some(JSON), &["rsct", "trace", "-o", "json", "--show-hooks"]),
    rsct("rsct trace", ModeKind::Rsct, Some(TEXT), &["rsct", "trace", "--show-hooks"]),
    rsct("rsct record", ModeKind::Rsct, Some(RECORD),
        &["rsct", "record", "-O", "/tmp/bench.rsct", "--no-causes", "--show-hooks"]),
    rejecting("rsct trace -p tcp", &["rsct", "trace", "-p", "tcp", "--show-hooks"]),
    rejecting("rsct trace -s 10.0.0.0/8", &["rsct", "trace", "-s", "10.0.0.0/8", "--show-hooks"]),
    rejecting("rsct trace --port 1", &["rsct", "trace", "--port", "1", "--show-hooks"]),
    rsct("rsct trace --attach kprobe -o none", ModeKind::Rsct, None,
        &["rsct", "trace", "--attach", "kprobe", "-o", "none", "--show-hooks"]),
    rsct("rsct trace --attach kprobe -o json", ModeKind::RsctJson, Some(KPROBE_JSON),
        &["rsct", "trace", "--attach", "kprobe", "-o", "json", "--show-hooks"]),
    bpftrace("bpftrace kfunc, kretfunc", &["bpftrace", "-B", "full", "-e", KFUNC]),
    bpftrace("bpftrace kprobe, kretprobe", &["bpftrace", "-B", "full", "-e", KPROBE]),
];

/// Modes that measure the latency of conntrack.
#[rustfmt::skip]
pub const LATENCY_MODES: &[Mode] = &[
    rsct("rsct latency", ModeKind::RsctLatency, Some(LATENCY), &["rsct", "latency", "-o", "json", "--duration", "1h", "--show-hooks"]),
    rsct("rsct latency --by proto", ModeKind::RsctLatency, None,
        &["rsct", "latency", "--by", "proto", "-o", "json", "--duration", "1h", "--show-hooks"]),
    rsct("rsct latency -p udp", ModeKind::RsctLatency, None,
        &["rsct", "latency", "-p", "udp", "-o", "json", "--duration", "1h", "--show-hooks"]),
    rsct("rsct latency --attach kprobe", ModeKind::RsctLatency, None,
        &["rsct", "latency", "--attach", "kprobe", "-o", "json", "--duration", "1h", "--show-hooks"]),
];

/// Result of one mode.
pub struct ModeCost {
    /// Instructions per packet over the untraced run.
    pub over: i64,
    /// The part of these in the kernel, while rsct is stopped: it reads nothing then.
    pub in_kernel: Option<i64>,
    /// Expected number of records.
    pub expected: u64,
    /// Number of records received.
    pub got: u64,
    /// Records that the tracer itself reports as lost.
    pub lost: u64,
    /// The target, and whether it was reached.
    pub target: Option<(u64, bool)>,
}

impl Mode {
    /// Runs the load under this tracer; `untraced` is the cost of a packet without one.
    pub fn measure(&self, flow: &LoadFlow, untraced: u64) -> Result<ModeCost> {
        let mut tracer = Tracer::start(self.line)?;
        let pause = Duration::from_millis(5);
        if self.kind == ModeKind::Bpftrace {
            // It prints nothing once its probes are live; then it traces, which fills its buffer.
            tracer.until("its first output", pause, || {
                flow.send()?;
                Ok(Tracer::out()?.lines().any(|line| line.starts_with("out ")))
            })?;
        } else {
            tracer.until("its hooks", pause, is_attached)?;
        }
        tracer.settle()?;
        let start_ns = boot_ns();
        flow.warm_up()?;
        tracer.settle()?;
        let inside = flow.run()?;
        // The deferred work of a tracer is part of its cost.
        let after = tracer.settle()?;
        let stopped = if self.kind == ModeKind::Bpftrace {
            None
        } else {
            tracer.suspend()?;
            let stopped = flow.run_while_stopped()?;
            tracer.resume()?;
            tracer.settle()?;
            Some(stopped)
        };
        tracer.stop()?;

        let over = |took: Duration, packets: u32| -> Result<i64> {
            let each = u64::try_from(took.as_nanos())? / u64::from(packets);
            Ok(i64::try_from(each)? - i64::try_from(untraced)?)
        };
        let in_kernel = stopped
            .map(|took| over(took, PACKETS_WHILE_STOPPED))
            .transpose()?;
        let over = over(inside + after, PACKETS)?;
        let (expected, got, lost) = self.records(start_ns)?;
        let target = self.target.map(|target| {
            let cheap = over <= i64::try_from(target).unwrap_or(i64::MAX);
            (target, cheap && got == expected && lost == 0)
        });
        Ok(ModeCost {
            over,
            in_kernel,
            expected,
            got,
            lost,
            target,
        })
    }

    /// Records expected, received and reported as lost.
    fn records(&self, start_ns: u64) -> Result<(u64, u64, u64)> {
        let stopped = match self.kind {
            ModeKind::Bpftrace => 0,
            _ => u64::from(PACKETS_WHILE_STOPPED),
        };
        let passes = (PACKETS_IN_ALL + stopped) * PASSES;
        let out = Tracer::out()?;
        if self.kind == ModeKind::Bpftrace {
            let since = |line: &&str| {
                let time = line.split(' ').nth(1).and_then(|time| time.parse::<u64>().ok());
                time.is_some_and(|time| time >= start_ns)
            };
            let got = out
                .lines()
                .filter(|line| line.starts_with("in ") || line.starts_with("out "))
                .filter(since)
                .count();
            let lost = out
                .lines()
                .chain(Tracer::err()?.lines())
                .filter_map(|line| {
                    line.strip_prefix("Lost ")?
                        .strip_suffix(" events")?
                        .parse::<u64>()
                        .ok()
                })
                .sum();
            // One line for each of the two hooks.
            return Ok((2 * passes, got as u64, lost));
        }
        if self.kind == ModeKind::RsctLatency {
            return counted(&out, passes);
        }
        let said = Tracer::err()?;
        let figure = |after: &str| {
            said.lines().find_map(|line| {
                let (number, _) = line.strip_prefix("rsct: ")?.split_once(after)?;
                number.parse::<u64>().ok()
            })
        };
        let mut got = figure(" packets and ").context("rsct's summary lacks the packets")?;
        let lost = figure(" records lost")
            .or_else(|| figure(" records LOST"))
            .context("rsct's summary lacks the losses")?;
        if self.kind == ModeKind::RsctJson {
            let lines = out.lines().filter(|line| line.contains(r#""type":"packet""#));
            got = got.min(lines.count() as u64);
        }
        let expected = if self.kind == ModeKind::RsctRejecting {
            0
        } else {
            passes
        };
        Ok((expected, got, lost))
    }
}

/// Number of traversals to count, counted ones, and those that may be missing.
fn counted(out: &str, passes: u64) -> Result<(u64, u64, u64)> {
    let (mut got, mut lost) = (0, None);
    for line in json::lines(out)? {
        let number = |name: &str| line[name].as_u64().unwrap_or(0);
        match line["type"].as_str() {
            Some("latency") if line["function"] == "nf_conntrack_in" => {
                got += line["durations_ns"]["count"].as_u64().unwrap_or(0);
            }
            Some("latency_counts") => got += number("tracked_already"),
            Some("summary") => {
                lost = Some(number("lost_total") + number("skipped") + number("unfinished"));
            }
            _ => {}
        }
    }
    Ok((passes, got, lost.context("rsct's summary is missing")?))
}

/// The hooks that `trace` and `latency` report last with --show-hooks, each once all others are attached or refused.
const LAST_HOOKS: [&str; 2] = ["rsct: nf_conntrack_udplite_packet ", "rsct: nf_conntrack_in "];

/// Returns whether all hooks are attached, of a trace or of a latency measurement: only a trace hooks the birth of
/// entries.
pub fn is_attached() -> Result<bool> {
    let said = Tracer::err()?;
    let has = |hook: &str| said.lines().any(|line| line.starts_with(hook));
    let [of_trace, of_latency] = LAST_HOOKS;
    let traces = has("rsct: __nf_conntrack_alloc ");
    Ok(has(if traces { of_trace } else { of_latency }))
}

/// The clock that bpftrace's `nsecs` shows.
fn boot_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: clock_gettime fills the timespec it is given and keeps no pointer.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}
