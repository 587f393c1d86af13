//! `rsct report`: a page about a recording.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{
    FilterArgs, UsageError,
    input_args::{WindowArgs, netns_of},
    is_broken_pipe,
    namespaces::NetnsArg,
    watching::records_have,
};
use crate::{
    filter::Filter,
    observe::Selection,
    render::report::{self as render, Side},
    report::Gathered,
    snapshot::Collector,
    source::{Source, live::Limits},
};

/// Make a page about a recording: findings, charts, tables
///
/// The page begins with findings, the worst first. Charts of the table, states, rates, causes and durations follow, then
/// causes with examples and advice, tables of flows and sources, losses, and the recorder's command. The HTML is one file
/// that needs no network and no scripts. With `--compare`, the page has the figures of two recordings, and whether they
/// differ by more than the noise.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct report fault.rsct -o html -O fault.html
  rsct report fault.rsct -o md -p udp --dport 53
  rsct report --compare before.rsct after.rsct")]
pub(super) struct ReportArgs {
    /// Recordings of one host; `-` reads standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Compare two recordings: FILE... is BEFORE AFTER
    ///
    /// The page has what became slower, fuller or worse. Each recording is cut into up to 20 equal intervals; a difference
    /// is beyond the noise if a rank test of their values finds so great a one by chance in fewer than 1 of 100
    /// comparisons. At least 10 intervals of 100 ms are needed. `--from` and `--to` apply to each recording.
    #[arg(long)]
    compare: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "text")]
    output: Form,
    /// File to write, instead of standard output; an existing one is replaced
    #[arg(short = 'O', long = "output-file", value_name = "OUT")]
    out: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    window: WindowArgs,
}

/// Forms of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Text for people
    Text,
    /// A web page in one file
    Html,
    /// Markdown, for tickets
    Md,
}

/// Runs `rsct report`.
pub(super) fn run(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    crate::waiting::event_loop()?.block_on(report(args))
}

async fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    records_have(
        &filter,
        "records do not have this field; `rsct list` and `rsct watch` accept the option",
    )?;
    let document = match (args.compare, args.files.as_slice()) {
        (true, [before, after]) => {
            let before = gather(args, &filter, std::slice::from_ref(before)).await?;
            let after = gather(args, &filter, std::slice::from_ref(after)).await?;
            render::comparison(&before, &after)
        }
        (true, files) => {
            return Err(UsageError(format!(
                "--compare: it compares 2 recordings, and {} given: name BEFORE and AFTER",
                match files.len() {
                    1 => "1 is".to_owned(),
                    more => format!("{more} are"),
                }
            ))
            .into());
        }
        (false, files) => {
            let side = gather(args, &filter, files).await?;
            render::document(&side.gathered, &side.start, &side.files)
        }
    };
    let page = match args.output {
        Form::Text => render::text(&document),
        Form::Html => render::html(&document),
        Form::Md => render::markdown(&document),
    };
    match &args.out {
        Some(out) => {
            fs::write(out, page).with_context(|| format!("cannot write the report to {}", out.display()))?;
        }
        None => match io::stdout().write_all(page.as_bytes()) {
            Err(error) if !is_broken_pipe(&error) => {
                return Err(error).context("cannot write the report to standard output");
            }
            _ => {}
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the files of one recording.
async fn gather(args: &ReportArgs, filter: &Filter, files: &[PathBuf]) -> anyhow::Result<Side> {
    let input = args.window.of(files.to_vec());
    let recorded = input.open(false)?.context("no recording is given")?;
    let start = recorded.start.clone();
    let netns = netns_of(args.netns.name(), &start.names)?;
    let selection = Selection::recorded(filter, netns, recorded.window.from_ns);
    let mut setup = start.setup.clone();
    setup.started_ns = setup.started_ns.max(recorded.window.from_ns);
    let mut gathered = Gathered::new(Collector::new(&setup, selection), start.names.clone());
    let mut source = Source::Recorded(Box::new(recorded));
    source.run(&mut gathered, Limits { duration: None }).await?;
    if let Source::Recorded(recorded) = &source {
        gathered.set_damage(recorded.files.damage());
    }
    Ok(Side {
        gathered,
        start,
        files: input.shown(),
    })
}
