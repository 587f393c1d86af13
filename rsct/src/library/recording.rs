//! Recordings.

use std::path::{Path, PathBuf};

use crate::{
    observe::Selection,
    source::{
        Recorded, Source,
        live::Limits,
        recorded::{Files, Start, Window},
    },
    waiting,
};

use super::{Filter, Observer, Summary, TraceError, error::Failure, observer};

/// A recording of `rsct record`: the same observations as those of the trace that was recorded, on any machine, without
/// privileges.
///
/// ```
/// use rsct::{Observation, Observer, Operation, Recording};
///
/// /// Keeps the tuples of new entries.
/// #[derive(Default)]
/// struct New(Vec<String>);
///
/// impl Observer for New {
///     fn observe(&mut self, observation: &Observation<'_>) {
///         if let Observation::Event(event) = observation
///             && event.operation() == Operation::Confirmed
///         {
///             self.0.push(event.tuple().to_string());
///         }
///     }
/// }
///
/// let mut new = New::default();
/// let summary = Recording::open("tests-data/udp.rsct")?.run(&mut new)?;
/// assert_eq!(new.0, ["udp 192.168.34.12:40000 > 192.168.34.11:8888"]);
/// assert_eq!((summary.packets(), summary.lost()), (4, 0));
/// # Ok::<(), rsct::TraceError>(())
/// ```
#[derive(Debug)]
pub struct Recording {
    files: Files,
    start: Start,
    filter: Filter,
    netns: Option<u32>,
}

impl Recording {
    /// Opens a file; `-` is standard input.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TraceError> {
        Self::open_all([path])
    }

    /// Opens the files of one recording, in any order: `FILE`, `FILE.1` and so on.
    pub fn open_all(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Self, TraceError> {
        let paths: Vec<PathBuf> = paths.into_iter().map(|path| path.as_ref().to_owned()).collect();
        let files = Files::open(&paths)?;
        let start = files.start().cloned().ok_or(Failure::NoFile)?;
        Ok(Self {
            files,
            start,
            filter: Filter::default(),
            netns: None,
        })
    }

    /// The name of the recorded host.
    pub fn host(&self) -> &str {
        &self.start.host
    }

    /// The release of the recorded kernel.
    pub fn kernel(&self) -> &str {
        &self.start.kernel
    }

    /// Passes on only flows that match.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Passes on only one network namespace of the recording: a name or an inode number that it has.
    pub fn netns(mut self, netns: &str) -> Result<Self, TraceError> {
        let found = self.start.names.netns_named(netns).or_else(|| netns.parse().ok());
        self.netns = Some(found.ok_or_else(|| Failure::Netns(netns.to_owned()))?);
        Ok(self)
    }

    /// Passes everything to the observer, up to the end of the files, the first damage, or until the observer needs no more.
    /// Damage is reported on standard error.
    pub fn run(self, observer: &mut impl Observer) -> Result<Summary, TraceError> {
        let filter = self.filter.as_inner();
        if let Some(condition) = filter.details.unknown_to_records() {
            return Err(Failure::Condition(condition).into());
        }
        let offset_ns = self.start.realtime_offset_ns;
        let window = Window {
            from_ns: self.start.from_ns,
            ..Window::default()
        };
        let selection = Selection::recorded(filter, self.netns, window.from_ns);
        let source = Source::Recorded(Box::new(Recorded {
            files: self.files,
            start: self.start,
            window,
        }));
        let run = observer::run(source, selection, offset_ns, Limits::default(), observer);
        Ok(waiting::block_on(run)?)
    }
}
