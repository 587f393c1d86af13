//! Options that several commands share: one definition and one wording each.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::{
    probe::session::Form,
    schema::{self, Command},
};

/// `-o` with the formats of the enum `F`, whose default is called `text`.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct FormatArg<F: ValueEnum + Send + Sync + 'static> {
    /// Output format
    #[arg(
        id = "output",
        short = 'o',
        long = "output",
        value_name = "FORMAT",
        value_enum,
        default_value = "text"
    )]
    pub(super) format: F,
}

/// Formats of a command that prints a table, a report or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TextOrJson {
    /// Text for people
    Text,
    /// JSON objects
    Json,
}

impl FormatArg<TextOrJson> {
    /// Returns whether JSON is selected.
    pub(super) fn is_json(self) -> bool {
        self.format == TextOrJson::Json
    }

    /// The beginning of the output: with JSON its first line.
    pub(super) fn begin(self, command: Command) -> Vec<u8> {
        let mut out = Vec::new();
        if self.is_json() {
            schema::begin(&mut out, command);
        }
        out
    }
}

const DURATION_HELP: &str = "Stop after TIME (10s, 5m, 500ms)";

/// `--duration` of a command that otherwise runs until Ctrl-C.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct DurationArg {
    #[arg(long, value_name = "TIME", help = DURATION_HELP, value_parser = duration::parse)]
    pub(super) duration: Option<Duration>,
}

/// `--duration` of a command that reports at its end.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct WatchTimeArg {
    #[arg(long, value_name = "TIME", help = DURATION_HELP, default_value = "10s", value_parser = duration::parse)]
    pub(super) duration: Duration,
}

/// `--interval`.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct IntervalArg {
    /// Report every TIME (1s, 500ms)
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    pub(super) interval: Option<Duration>,
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("an interval must be longer than 0, such as 1s or 500ms".to_owned()),
        interval => Ok(interval),
    }
}

/// `--count` of a command that prints one line for each event.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct CountArg {
    /// Stop after N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
}

/// `--attach`.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct AttachArg {
    /// How to attach the eBPF programs
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(super) attach: AttachForm,
}

/// Values of `--attach`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum AttachForm {
    /// For each hook the best form that works
    #[default]
    Auto,
    /// fentry and fexit only
    Fentry,
    /// kprobe and kretprobe only
    Kprobe,
}

impl AttachArg {
    /// The form for the hooks of a trace.
    pub(super) fn form(self) -> Form {
        match self.attach {
            AttachForm::Auto => Form::Best,
            AttachForm::Fentry => Form::Fentry,
            AttachForm::Kprobe => Form::Kprobe,
        }
    }

    /// The form for the one hook of a [`Listing`](crate::provenance::Listing) that runs next to a trace: on some
    /// kernels fentry gets fewer arguments than the hooked function has.
    pub(super) fn form_of_listing(self) -> Form {
        match self.attach {
            AttachForm::Kprobe => Form::Kprobe,
            AttachForm::Auto | AttachForm::Fentry => Form::Best,
        }
    }
}

/// `--show-hooks`.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ShowHooksArg {
    /// Print each hook and how it is attached, before the first result
    #[arg(long)]
    pub(super) show_hooks: bool,
}

/// `--quiet` of a command that prints objects and a summary.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct QuietArg {
    /// Print only the summary
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// `--dry-run`.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct DryRunArg {
    /// Print what would change, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// No options. As the last field of a struct with `next_help_heading`, it ends that heading, which clap would also give
/// to all options that follow.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = None::<&'static str>)]
#[group(skip)]
pub(super) struct EndOfHeading {}
