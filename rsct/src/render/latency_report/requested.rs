//! Whether a recording answers what the command line asks.

use crate::{
    latency::{Begins, By},
    render::latency::time,
};

/// What the command line asks of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requested {
    /// The key that groups durations; none for the recorded one.
    pub by: Option<By>,
    /// Print slower calls only; none for all that were recorded.
    pub slower_than_ns: Option<u64>,
    /// The duration of an interval.
    pub every_ns: Option<u64>,
}

/// The recording cannot answer it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Durations are grouped by another key.
    #[error("--by: the recording groups durations by {recorded}; omit the option, or record with --latency={}", .requested.name(), recorded = .recorded.name())]
    By {
        /// The requested key.
        requested: By,
        /// The key of the recording.
        recorded: By,
    },
    /// There are no records of slow calls.
    #[error("--slower-than: the recording has no slow calls; record with --latency --slower-than {}", time(*.0))]
    NoSlowCalls(u64),
    /// Only slower calls have records.
    #[error("--slower-than: the recording has only calls slower than {}; give this time or a longer one", time(*.0))]
    SlowerOnly(u64),
    /// Readings are less frequent.
    #[error("--interval: the recording has a reading every {}; give this time or a longer one", time(*.0))]
    Interval(u64),
}

impl Requested {
    /// Checks it against a recorded measurement.
    pub(crate) fn check(&self, begins: &Begins) -> Result<(), Refusal> {
        if let Some(requested) = self.by
            && requested != begins.by
        {
            let recorded = begins.by;
            return Err(Refusal::By { requested, recorded });
        }
        if let Some(requested) = self.slower_than_ns {
            match begins.slower_than_ns {
                None => return Err(Refusal::NoSlowCalls(requested)),
                Some(recorded) if requested < recorded => return Err(Refusal::SlowerOnly(recorded)),
                Some(_) => {}
            }
        }
        match self.every_ns {
            Some(requested) if requested < begins.every_ns => Err(Refusal::Interval(begins.every_ns)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::begins_of_tests;

    #[test]
    fn a_recording_answers_what_it_has() {
        let mut begins = begins_of_tests();
        let requested = |by, slower_than_ns, every_ns| Requested {
            by,
            slower_than_ns,
            every_ns,
        };
        let refused = |requested: Requested, begins: &Begins| {
            requested.check(begins).err().map(|error| error.to_string())
        };
        assert_eq!(refused(Requested::default(), &begins), None);
        assert_eq!(
            refused(requested(Some(By::Outcome), None, Some(1_000_000_000)), &begins),
            None
        );
        assert_eq!(
            refused(requested(Some(By::Cpu), None, None), &begins).unwrap(),
            "--by: the recording groups durations by outcome; omit the option, or record with --latency=cpu"
        );
        assert_eq!(
            refused(requested(None, Some(50_000), None), &begins).unwrap(),
            "--slower-than: the recording has no slow calls; record with --latency --slower-than 50.0us"
        );
        assert_eq!(
            refused(requested(None, None, Some(999_999_999)), &begins).unwrap(),
            "--interval: the recording has a reading every 1.00s; give this time or a longer one"
        );
        begins.slower_than_ns = Some(50_000);
        assert_eq!(refused(requested(None, Some(50_000), None), &begins), None);
        assert_eq!(
            refused(requested(None, Some(49_000), None), &begins).unwrap(),
            "--slower-than: the recording has only calls slower than 50.0us; give this time or a longer one"
        );
    }
}
