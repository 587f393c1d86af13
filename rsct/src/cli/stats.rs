//! `rsct stats`: the kernel's counters on each CPU.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    time::Instant,
};

use anyhow::Context as _;
use clap::Args;

use super::{
    is_broken_pipe,
    namespaces::{Namespaces, NetnsArg},
    shared_args::{FormatArg, IntervalArg, TextOrJson},
};
use crate::{
    netlink::stats::{self, Cpu, counter},
    render,
    schema::Command,
    waiting,
};

/// Print the kernel's conntrack counters per CPU
///
/// Also prints their sums. Counters start when the network namespace is created. With --interval, also print the growth
/// of each counter per second.
#[derive(Debug, Args)]
#[command(mut_arg("interval", |arg| arg.short('i')), after_long_help = long_help_end())]
pub struct StatsArgs {
    #[command(flatten)]
    interval: IntervalArg,
    /// Stop after N intervals
    #[arg(short, long, value_name = "N", requires = "interval", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct stats`.
pub fn run(args: &StatsArgs) -> anyhow::Result<ExitCode> {
    let done = match args.interval.interval {
        Some(_) => waiting::event_loop()?.block_on(read(args)),
        None => waiting::block_on(read(args)),
    };
    match done {
        Err(error) if error.downcast_ref().is_some_and(is_broken_pipe) => Ok(ExitCode::SUCCESS),
        result => result,
    }
}

/// The counters of a namespace, and when they were read.
struct Reading {
    at: Instant,
    cpus: Vec<Cpu>,
}

async fn read(args: &StatsArgs) -> anyhow::Result<ExitCode> {
    // By inode number.
    let mut before: HashMap<u64, Reading> = HashMap::new();
    let mut all_went_well = true;
    let mut intervals = 0;
    loop {
        // Opened anew for each reading: an open descriptor would keep a deleted namespace alive.
        let namespaces = Namespaces::open(&args.netns)?;
        let mut out = match intervals {
            0 => args.output.begin(Command::Stats),
            _ => Vec::new(),
        };
        let visit = namespaces.visit(async |netns, socket| {
            let cpus = stats::per_cpu(socket).await?;
            let at = Instant::now();
            let last = before.get(&netns.inode);
            let last = last.map(|last| (last.cpus.as_slice(), at - last.at));
            match args.output.format {
                TextOrJson::Text => {
                    let column = namespaces.column().map(|width| (&**netns, width));
                    render::stats::text(&mut out, &cpus, last, column);
                }
                TextOrJson::Json => {
                    render::stats::json(&mut out, &cpus, last, namespaces.are_named().then_some(netns));
                }
            }
            before.insert(netns.inode, Reading { at, cpus });
            Ok(())
        });
        all_went_well &= visit.await?;
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(&out)
            .and_then(|()| stdout.flush())
            .context("writing counters to standard output")?;
        drop(stdout);
        if intervals == 0 {
            namespaces.report_hidden();
        }
        drop(namespaces);
        match args.interval.interval {
            Some(interval) if args.count.is_none_or(|count| intervals < count) => {
                intervals += 1;
                tokio::time::sleep(interval).await;
            }
            _ => break,
        }
    }
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The end of `--help`: the meaning of each counter, and examples.
fn long_help_end() -> String {
    let mut text = "Counters (each kernel sends the ones that it has):\n".to_owned();
    for counter in counter::KNOWN {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {:15} {}", counter.name, counter.meaning);
    }
    text.push_str("\nExamples:\n  rsct stats\n  rsct stats -i 1s -c 10\n  rsct stats --netns all -o json");
    text
}
