//! Cost of tracing, counted in a guest whose clock counts instructions: one nanosecond is one of them.

mod memory;
mod modes;
mod start;
pub mod table;
mod top;
mod tracer;
mod udp;

use std::{
    fs,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::native::namespace::succeeds;
use modes::Mode;
use udp::{LoadFlow, PACKETS};

const UNTRACED_RUNS: usize = 4;
const CLOCK_TRIES: usize = 10;
const MEMORY_KIB: u64 = 64 * 1024;

/// Returns the number of missed targets.
type Part = fn() -> Result<u32>;

/// Parts that can be measured alone.
const PARTS: [(&str, Part); 3] = [("packets", packets), ("latency", latency), ("memory", memory)];

/// Packets are tracked once a rule matches the state.
const SETUP: &str = "modprobe -a nf_conntrack nf_conntrack_netlink
nft -f - <<'END'
table ip bench {
    chain output { type filter hook output priority 0; ct state new counter; }
}
END";

/// Measures the cost of packets, or one part of it, and prints it; fails if a target is missed.
pub fn packet(only: Option<&str>) -> ExitCode {
    ended(|| {
        let mut missed = 0;
        for (name, part) in PARTS {
            if only.is_none_or(|only| only == name) {
                missed += part()?;
            }
        }
        Ok(missed)
    })
}

/// Measures the cost of starting and stopping, of all commands or of one, and prints it; fails if a target is missed.
pub fn start(only: Option<&str>) -> ExitCode {
    ended(|| start::run(only))
}

/// Measures the cost of `rsct top`, and prints it; fails if a target is missed.
pub fn top(only: Option<&str>) -> ExitCode {
    ended(|| top::measure(only))
}

fn ended(measure: impl FnOnce() -> Result<u32>) -> ExitCode {
    match prepare().and_then(|()| measure()) {
        Ok(missed) => {
            println!();
            match missed {
                0 => println!("All targets met."),
                1 => println!("1 target MISSED."),
                _ => println!("{missed} targets MISSED."),
            }
            ExitCode::from(u8::from(missed > 0))
        }
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn prepare() -> Result<()> {
    // Right after boot other tasks still disturb the loop.
    let counts = (0..CLOCK_TRIES).any(|_| {
        thread::sleep(tracer::REST);
        counts_instructions()
    });
    ensure!(
        counts,
        "the clock does not count instructions here: run `cargo xtask bench`"
    );
    succeeds(Command::new("sh").args(["-ec", SETUP])).context("make conntrack track")?;
    Ok(())
}

/// Returns the number of missed targets.
fn packets() -> Result<u32> {
    traced(modes::MODES)
}

/// The same for the commands that measure latency.
fn latency() -> Result<u32> {
    traced(modes::LATENCY_MODES)
}

fn traced(modes: &[Mode]) -> Result<u32> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let bpftrace = succeeds(Command::new("bpftrace").arg("--version"))?;
    println!(
        "Instructions per packet, Linux {}, {}.",
        release.trim(),
        bpftrace.trim()
    );
    println!(
        "One UDP packet over lo passes nf_conntrack_in twice; {PACKETS} packets of one ASSURED flow, output \
         into a file\nin memory. Counted is everything on the one processor while they are sent, and what the \
         tracer does after.\n\
         'eBPF' is the part that remains while rsct is stopped (SIGSTOP) and its ring has room; the rest is rsct's process.\n"
    );
    let flow = LoadFlow::open()?;
    let mut runs = Vec::new();
    for _ in 0..UNTRACED_RUNS {
        // As with a tracer: a run after a rest finds other timers due than one right after another.
        flow.warm_up()?;
        thread::sleep(tracer::REST);
        runs.push(u64::try_from(flow.run()?.as_nanos())? / u64::from(PACKETS));
    }
    let least = *runs.iter().min().context("no untraced run")?;
    let most = *runs.iter().max().context("no untraced run")?;
    let spread = most - least;
    println!("untraced: {least} (the least of {runs:?}; spread {spread})\n");

    println!(
        "{:<36} {:>10} {:>7} {:>8} {:>9} {:>9} {:>9} {:>7}",
        "traced by", "over that", "eBPF", "process", "expected", "got", "lost", "target"
    );
    let mut missed = 0;
    for mode in modes {
        let measured = mode.measure(&flow, least)?;
        let (target, verdict) = match measured.target {
            Some((target, met)) => {
                missed += u32::from(!met);
                (target.to_string(), word(met))
            }
            None => ("-".to_owned(), ""),
        };
        let [in_kernel, in_process] = match measured.in_kernel {
            Some(in_kernel) => [in_kernel, measured.over - in_kernel].map(|part| part.to_string()),
            None => ["-"; 2].map(str::to_owned),
        };
        let line = format!(
            "{:<36} {:>10} {in_kernel:>7} {in_process:>8} {:>9} {:>9} {:>9} {target:>7} {verdict}",
            mode.name, measured.over, measured.expected, measured.got, measured.lost
        );
        println!("{}", line.trim_end());
    }
    Ok(missed)
}

fn memory() -> Result<u32> {
    let memory = memory::measure()?;
    let met = memory.peak_kib <= MEMORY_KIB;
    println!(
        "\nMemory of rsct trace with {} flows known: {} KiB resident, {} KiB at most (VmRSS, VmHWM); \
         target {MEMORY_KIB} KiB at most {}",
        memory::FLOWS,
        memory.resident_kib,
        memory.peak_kib,
        word(met)
    );
    Ok(u32::from(!met))
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Runs the same loop twice: with such a clock it lasts equally long, on any other machine it never does exactly.
fn counts_instructions() -> bool {
    let once = || {
        let start = Instant::now();
        let sum = (0..100_000u64).fold(0, |sum, number| std::hint::black_box(sum ^ number));
        std::hint::black_box(sum);
        start.elapsed()
    };
    let mut times: Vec<Duration> = (0..9).map(|_| once()).collect();
    times.sort_unstable();
    times[4] - times[1] < times[1] / 1000
}
