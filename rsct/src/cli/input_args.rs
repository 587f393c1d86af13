//! `--input`: a recording in place of the running kernel.

use std::{path::PathBuf, time::Duration};

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
    /// Needs no privileges, and works on any machine. Repeat the option for the other files of a rotated recording; `-`
    /// reads standard input.
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

impl InputArgs {
    /// Opens the recording, if there is one.
    pub(super) fn open(&self) -> anyhow::Result<Option<Recorded>> {
        if self.input.is_empty() {
            return Ok(None);
        }
        let files = Files::open(&self.input)?;
        let start = files.start().cloned().context("no recording is given")?;
        let window = Window {
            from_ns: self.from.map_or(0, |moment| moment.monotonic_ns(&start)),
            to_ns: self.to.map_or(u64::MAX, |moment| moment.monotonic_ns(&start)),
        };
        if window.from_ns > window.to_ns {
            return Err(UsageError("--from: the time is later than that of --to".to_owned()).into());
        }
        Ok(Some(Recorded { files, start, window }))
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

    /// The time on the monotonic clock of the recording.
    pub(super) fn monotonic_ns(self, start: &Start) -> u64 {
        match self {
            Self::After(after) => {
                let after_ns = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
                start.setup.started_ns.saturating_add(after_ns)
            }
            Self::At(at) => {
                let since_ns = at.as_nanosecond() - i128::from(start.realtime_offset_ns);
                u64::try_from(since_ns.max(0)).unwrap_or(u64::MAX)
            }
        }
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
