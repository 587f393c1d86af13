//! `--input`: a recording in place of the running kernel.

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use jiff::{Timestamp, civil::DateTime};

use super::{UsageError, duration};
use crate::{
    kernel::interfaces::Names,
    render::zone,
    source::{
        Recorded,
        recorded::{Files, Start, Window},
    },
};

/// `--input`, `--from` and `--to`.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct InputArgs {
    /// Read a recording of `rsct record` instead of the running kernel
    ///
    /// Needs no privileges, and works on any machine. Repeat the option for the other files of a rotated recording, and for
    /// other hosts, each of which answers for itself; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// Begin at TIME of the recording
    ///
    /// `+10s` is 10 seconds after its start. A date such as 2026-11-30T02:00:00 is in local time; with Z or +01:00 at its
    /// end it is in that time zone.
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, requires = "input")]
    from: Option<Moment>,
    /// End at TIME of the recording
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, requires = "input")]
    to: Option<Moment>,
}

/// `--from` and `--to` of commands whose files are arguments.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct WindowArgs {
    /// Begin at TIME of the recording
    ///
    /// `+10s` is 10 seconds after its start. A date such as 2026-11-30T02:00:00 is in local time; with Z or +01:00 at its
    /// end it is in that time zone.
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    from: Option<Moment>,
    /// End at TIME of the recording
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    to: Option<Moment>,
}

impl WindowArgs {
    /// These files.
    pub(super) fn of(self, files: Vec<PathBuf>) -> InputArgs {
        InputArgs::of(files, self.from, self.to)
    }
}

impl InputArgs {
    /// The same for files that are no values of `--input`.
    pub(super) fn of(input: Vec<PathBuf>, from: Option<Moment>, to: Option<Moment>) -> Self {
        Self { input, from, to }
    }

    /// The files.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.input
    }

    /// Opens the recording, if there is one. While it is read, the progress is shown on a terminal, unless the command
    /// prints lines there.
    pub(super) fn open(&self, prints_lines: bool) -> anyhow::Result<Option<Recorded>> {
        if self.input.is_empty() {
            return Ok(None);
        }
        let mut files = Files::open(&self.input)?;
        show_progress(&mut files, prints_lines);
        let begun_ns = begun_ns(files.start());
        self.recorded(files, begun_ns).map(Some)
    }

    /// Opens the recordings of one or several boots, the one that begins first as the first.
    pub(super) fn open_by_boot(&self, prints_lines: bool) -> anyhow::Result<Vec<Recorded>> {
        let mut boots = Files::open_by_boot(&self.input)?;
        if let [only] = boots.as_mut_slice() {
            show_progress(only, prints_lines);
        }
        let begun_ns = begun_ns(boots.first().and_then(Files::start));
        let recorded = boots.into_iter().map(|files| self.recorded(files, begun_ns));
        recorded.collect()
    }

    /// The files of each boot, with the same times of day; the boot that begins first is the first. None if there is only
    /// one file, or standard input, which can be read only once.
    pub(super) fn by_boot(&self) -> anyhow::Result<Vec<(Self, Start)>> {
        if self.input.len() < 2 || self.input.iter().any(|file| file == Path::new("-")) {
            return Ok(Vec::new());
        }
        let boots = Files::open_by_boot(&self.input)?;
        let begun_ns = begun_ns(boots.first().and_then(Files::start));
        let at = |moment: Option<Moment>| moment.map(|moment| moment.of_day(begun_ns));
        let boots = boots.into_iter().filter_map(|files| {
            let start = files.start()?.clone();
            Some((Self::of(files.paths(), at(self.from), at(self.to)), start))
        });
        Ok(boots.collect())
    }

    /// The window's relative times begin at a time of day.
    fn recorded(&self, files: Files, begun_ns: i128) -> anyhow::Result<Recorded> {
        let start = files.start().cloned().context("no recording is given")?;
        let at = |moment: Moment| moment.monotonic_after_ns(&start, begun_ns);
        let window = Window {
            from_ns: self.from.map_or(0, at).max(start.from_ns),
            to_ns: self.to.map_or(u64::MAX, at),
        };
        if self.from.is_some_and(|from| at(from) > window.to_ns) {
            return Err(UsageError("--from: the time is later than that of --to".to_owned()).into());
        }
        Ok(Recorded { files, start, window })
    }

    /// The files, for messages.
    pub(super) fn shown(&self) -> String {
        let files: Vec<String> = self.input.iter().map(|file| file.display().to_string()).collect();
        files.join(", ")
    }

    /// Returns whether there is a recording.
    pub(super) fn is_given(&self) -> bool {
        !self.input.is_empty()
    }
}

/// The namespace that `--netns` names in a recording; none for all that it has.
pub(super) fn netns_of(named: Option<&str>, names: &Names) -> Result<Option<u32>, UsageError> {
    match named {
        None | Some("all") => Ok(None),
        Some(name) => {
            let found = names.netns_named(name).or_else(|| name.parse().ok());
            found.map(Some).ok_or_else(|| {
                UsageError(format!(
                    "--netns: the recording has no network namespace {name:?}; give a name or an inode number that it has"
                ))
            })
        }
    }
}

/// Shows the progress of reading if standard error is a terminal, and lines do not interrupt it there.
pub(super) fn show_progress(files: &mut Files, prints_lines: bool) {
    if io::stderr().is_terminal() && !prints_lines {
        files.show_progress();
    }
}

/// The time of day at which a recording starts.
fn begun_ns(start: Option<&Start>) -> i128 {
    start.map_or(0, |start| {
        i128::from(start.setup.started_ns) + i128::from(start.realtime_offset_ns)
    })
}

/// A time of a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    /// After its start.
    After(Duration),
    /// A time of day.
    At(Timestamp),
}

impl Moment {
    /// Parses `+10s`, or a date with or without a time zone.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(after) = text.strip_prefix('+') {
            return duration::parse(after).map(Self::After);
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        let local = text
            .parse::<DateTime>()
            .ok()
            .and_then(|date| zone::local().to_timestamp(date).ok());
        match local {
            Some(at) => Ok(Self::At(at)),
            None => Err(
                "expected +TIME after the start of the recording, such as +10s, or a date such as \
                         2026-11-30T02:00:00"
                    .to_owned(),
            ),
        }
    }

    /// The time of day, with that at which relative times begin.
    fn of_day(self, begun_ns: i128) -> Self {
        match self {
            Self::After(after) => {
                let after_ns = i128::try_from(after.as_nanos()).unwrap_or(i128::MAX);
                let at = Timestamp::from_nanosecond(begun_ns.saturating_add(after_ns));
                Self::At(at.unwrap_or(Timestamp::MAX))
            }
            at => at,
        }
    }

    /// The time on the monotonic clock of a recording, with the time of day at which relative times begin.
    fn monotonic_after_ns(self, start: &Start, begun_ns: i128) -> u64 {
        let time_ns = match self {
            Self::After(after) => {
                begun_ns.saturating_add(i128::try_from(after.as_nanos()).unwrap_or(i128::MAX))
            }
            Self::At(at) => at.as_nanosecond(),
        };
        let since_ns = time_ns.saturating_sub(i128::from(start.realtime_offset_ns));
        u64::try_from(since_ns.max(0)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_relative_or_a_date() {
        assert_eq!(Moment::parse("+10s"), Ok(Moment::After(Duration::from_secs(10))));
        let at = |text: &str| Ok(Moment::At(text.parse().unwrap()));
        assert_eq!(Moment::parse("2026-11-30T02:00:00Z"), at("2026-11-30T02:00:00Z"));
        assert_eq!(
            Moment::parse("2026-11-30T02:00:00+01:00"),
            at("2026-11-30T01:00:00Z")
        );
        assert!(matches!(Moment::parse("2026-11-30 02:00:00"), Ok(Moment::At(_))));
        for wrong in ["10s", "yesterday", "+1y", ""] {
            assert!(Moment::parse(wrong).is_err(), "{wrong}");
        }
    }
}
