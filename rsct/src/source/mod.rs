//! Sources of inputs: the running kernel, and recordings.

pub(crate) mod live;
pub(crate) mod recorded;

use crate::{
    confine::Confinement,
    kernel::interfaces::Names,
    observe::{Consumer, Setup},
};

use live::{Limits, Live, LiveOptions, RunError, StartError};
use recorded::{FileError, Files, Start, Window};

/// A source of inputs.
pub(crate) enum Source {
    /// The running kernel.
    Live(Box<Live>),
    /// Files of a recording.
    Recorded(Box<Recorded>),
}

/// Files of a recording, and the part to report.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The files.
    pub files: Files,
    /// The head of the first file.
    pub start: Start,
    /// The part to report.
    pub window: Window,
}

/// The source failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The programs cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The trace failed.
    #[error("cannot trace: {0}")]
    Run(#[from] RunError),
    /// A recording cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Source {
    /// The running kernel.
    pub(crate) fn live(options: LiveOptions) -> Result<Self, SourceError> {
        Ok(Self::Live(Box::new(Live::start(options)?)))
    }

    /// Drops privileges once a live source is attached; a recording needs none.
    pub(crate) fn confine(&mut self, confinement: Confinement) {
        if let Self::Live(live) = self {
            live.confine(confinement);
        }
    }

    /// What a model has to know.
    pub(crate) fn setup(&self) -> &Setup {
        match self {
            Self::Live(live) => &live.setup,
            Self::Recorded(recorded) => &recorded.start.setup,
        }
    }

    /// The names that a recording begins with; none of the running kernel.
    pub(crate) fn names(&self) -> Option<&Names> {
        match self {
            Self::Live(_) => None,
            Self::Recorded(recorded) => Some(&recorded.start.names),
        }
    }

    /// Returns whether it is the running kernel.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// Runs to its end, or until the consumer needs no more.
    pub(crate) async fn run<C: Consumer>(
        &mut self,
        consumer: &mut C,
        limits: Limits,
    ) -> Result<(), SourceError> {
        match self {
            Self::Live(live) => live.run(consumer, limits).await?,
            Self::Recorded(recorded) => recorded.files.run(consumer, recorded.window)?,
        }
        Ok(())
    }
}
