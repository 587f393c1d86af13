//! `rsct stats`: what the kernel counts on each CPU.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{
    duration, is_broken_pipe,
    namespaces::{Namespaces, NetnsArg},
};
use crate::{
    netlink::stats::{self, Cpu, counter},
    render,
    schema::{self, Command},
    waiting,
};

/// Show the kernel's conntrack counters, per CPU and in total, since the network namespace was made.
#[derive(Debug, Args)]
#[command(after_long_help = meanings())]
pub struct StatsArgs {
    /// Read again and again after this time, and show by how much each counter grew per second.
    #[arg(short, long, value_name = "TIME", value_parser = parse_interval)]
    interval: Option<Duration>,
    /// End after this many intervals.
    #[arg(short, long, value_name = "N", requires = "interval", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How counters look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    netns: NetnsArg,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The lines of `conntrack -S`, and one for the total.
    #[default]
    Text,
    /// A JSON object for each namespace and reading.
    Json,
}

/// Runs `rsct stats`.
pub fn run(args: &StatsArgs) -> anyhow::Result<ExitCode> {
    let done = match args.interval {
        Some(_) => waiting::event_loop()?.block_on(read(args)),
        None => waiting::block_on(read(args)),
    };
    match done {
        Err(error) if error.downcast_ref().is_some_and(is_broken_pipe) => Ok(ExitCode::SUCCESS),
        result => result,
    }
}

/// What was read of a namespace, and when.
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
        // Nothing is held open meanwhile: a descriptor would keep a namespace alive that everybody has left.
        let namespaces = Namespaces::open(&args.netns)?;
        let mut out = Vec::new();
        if intervals == 0 && args.output == Output::Json {
            schema::begin(&mut out, Command::Stats);
        }
        let visit = namespaces.visit(async |netns, socket| {
            let cpus = stats::per_cpu(socket).await?;
            let at = Instant::now();
            let last = before.get(&netns.inode);
            let last = last.map(|last| (last.cpus.as_slice(), at - last.at));
            match args.output {
                Output::Text => {
                    let column = namespaces.column().map(|width| (netns, width));
                    render::stats::text(&mut out, &cpus, last, column);
                }
                Output::Json => {
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
            namespaces.tell_of_hidden();
        }
        drop(namespaces);
        match args.interval {
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

fn parse_interval(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("an interval has to last, such as 1s or 500ms".to_owned()),
        interval => Ok(interval),
    }
}

/// The end of `--help`: what each counter means.
fn meanings() -> String {
    let mut text = "Counters; a kernel sends those that it keeps:\n".to_owned();
    for counter in counter::KNOWN {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {:15} {}", counter.name, counter.meaning);
    }
    text
}
