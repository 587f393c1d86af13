//! The command line: one file per subcommand.

mod at_once;
mod binary_output;
pub mod completions;
pub mod count;
pub mod create;
pub mod delete;
pub mod doctor;
mod duration;
mod each_host;
mod ended;
mod entry_args;
pub mod expect;
mod export;
mod filter_args;
pub mod flush;
pub mod get;
mod help;
mod input_args;
pub mod install_links;
pub mod latency;
pub mod list;
mod list_at;
pub mod load;
pub mod man;
mod metrics;
mod namespaces;
mod no_events;
mod printer;
mod privileges_arg;
mod reading;
mod record;
pub mod recording;
mod refusal;
mod replacement;
mod report;
pub mod save;
pub mod schema;
mod shared_args;
pub mod stats;
mod sweep;
pub mod sysctl;
pub mod timeout;
mod top;
pub mod trace;
mod trace_merged;
mod trace_output;
pub mod update;
pub mod watch;
mod watching;
pub mod why;

use std::{fmt::Write as _, io, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};

pub use filter_args::FilterArgs;

use crate::{
    conntrack,
    kernel::{helper, interrupt, limits},
    nfct,
};

/// Exit code of a command line that rsct cannot accept.
const USAGE: u8 = 2;

/// Show what nf_conntrack does to every packet and entry
#[derive(Debug, Parser)]
#[command(
    name = "rsct",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_long_help = help::QUESTIONS
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// Deferred: clap builds the options of the command that it parses. Building all commands costs 9 million instructions.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    Trace(Box<trace::TraceArgs>),
    Top(Box<top::TopArgs>),
    Record(Box<record::RecordArgs>),
    Metrics(Box<metrics::MetricsArgs>),
    Latency(Box<latency::LatencyArgs>),
    Watch(Box<watch::WatchArgs>),
    Why(Box<why::WhyArgs>),
    List(Box<list::ListArgs>),
    Get(Box<get::GetArgs>),
    Count(Box<count::CountArgs>),
    Create(Box<create::CreateArgs>),
    Update(Box<update::UpdateArgs>),
    Delete(Box<delete::DeleteArgs>),
    Flush(flush::FlushArgs),
    Load(load::LoadArgs),
    Save(Box<save::SaveArgs>),
    Stats(stats::StatsArgs),
    Expect(Box<expect::ExpectArgs>),
    Timeout(Box<timeout::TimeoutArgs>),
    Sysctl(sysctl::SysctlArgs),
    Recording(recording::RecordingArgs),
    Report(Box<report::ReportArgs>),
    Export(Box<export::ExportArgs>),
    Doctor(doctor::DoctorArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    InstallLinks(install_links::InstallLinksArgs),
}

/// A command line that rsct cannot accept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Runs the command that this process was started with.
pub fn run() -> ExitCode {
    let program = std::env::args_os().next().unwrap_or_default();
    if conntrack::is_invoked_as(&program) {
        return conntrack::run(std::env::args_os());
    }
    if nfct::is_invoked_as(&program) {
        return nfct::run(std::env::args_os());
    }
    if helper::is_invoked_as(&program) {
        return helper::run(std::env::args_os());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&with_all_commands(error)),
    };
    limits::raise_open_files();
    let result = match &cli.command {
        Command::Trace(args) => trace::run(args),
        Command::Top(args) => top::run(args),
        Command::Record(args) => record::run(args),
        Command::Metrics(args) => metrics::run(args),
        Command::Latency(args) => latency::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Why(args) => why::run(args),
        Command::List(args) => list::run(args),
        Command::Get(args) => get::run(args),
        Command::Count(args) => count::run(args),
        Command::Create(args) => create::run(args),
        Command::Update(args) => update::run(args),
        Command::Delete(args) => delete::run(args),
        Command::Flush(args) => flush::run(args),
        Command::Load(args) => load::run(args),
        Command::Save(args) => save::run(args),
        Command::Stats(args) => stats::run(args),
        Command::Expect(args) => expect::run(args),
        Command::Timeout(args) => timeout::run(args),
        Command::Sysctl(args) => sysctl::run(args),
        Command::Recording(args) => recording::run(args),
        Command::Report(args) => report::run(args),
        Command::Export(args) => export::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::InstallLinks(args) => install_links::run(args),
    };
    result.unwrap_or_else(|error| {
        message!("{}", sentence(&error));
        if let Some(signal) = interrupt::caught() {
            // The exit status that a shell reports for a command that this signal killed.
            return ExitCode::from(128 + u8::try_from(signal).unwrap_or(0));
        }
        match error.downcast_ref::<UsageError>() {
            Some(_) => ExitCode::from(USAGE),
            None => ExitCode::FAILURE,
        }
    })
}

/// Returns whether the reader of the output has closed it, which is no error.
pub(crate) fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// The error and its causes on one line. A cause that its error already quotes is skipped.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if sentence.contains(&cause) {
            continue;
        }
        // Writing to a String can't fail.
        let _ = write!(sentence, "{}{cause}", if sentence.is_empty() { "" } else { ": " });
    }
    if let Some(hint) = error.chain().find_map(limits::hint) {
        let _ = write!(sentence, "; {hint}");
    }
    sentence
}

/// The same error with all commands built: help prints the first line of each, which an unbuilt command lacks.
fn with_all_commands(error: clap::Error) -> clap::Error {
    let command = help::grouped(Cli::command());
    command.try_get_matches().err().unwrap_or(error)
}

/// Prints help and version as clap does, and of a usage error only its first sentence.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return match error.print() {
            Err(failed) if !error.use_stderr() && !is_broken_pipe(&failed) => {
                message!("writing the help to standard output: {failed}");
                ExitCode::FAILURE
            }
            _ => ExitCode::from(if error.use_stderr() { USAGE } else { 0 }),
        };
    }
    let text = error.to_string();
    let first: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let first = first.join(" ");
    message!("{} (see --help)", first.strip_prefix("error: ").unwrap_or(&first));
    ExitCode::from(USAGE)
}
