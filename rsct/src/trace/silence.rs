//! The check that the kernel still runs the eBPF programs while no record arrives: silence is no proof of a quiet network.

use std::{io, time::Duration};

use tokio::time::Instant;

use crate::{
    kernel::clock,
    probe::{proof::Unproven, session::Session},
    render::bytes::json_line,
    schema::{tag, trace::Programs},
};

use super::{authority::Authority, output::Output};

/// The interval of the check while no record arrives.
const EVERY: Duration = Duration::from_secs(1);

/// The state of the check.
pub(super) struct Silence {
    next: Instant,
    /// The records read at the last check.
    taken: u64,
    unproven: Option<Unproven>,
    /// The entries of the table at the last check, if no record had arrived then.
    entries: Option<u32>,
    /// The first reason for doubt, and its time.
    first: Option<Doubt>,
}

/// Why records may be missing.
#[derive(Clone, Debug)]
pub(crate) struct Doubt {
    /// Its time on the monotonic clock.
    pub time_ns: u64,
    /// The reason.
    pub why: Unproven,
}

impl Silence {
    /// Checks that the programs run. An error proves that they do not.
    pub(super) fn begin<W: io::Write>(session: &Session, output: &mut Output<W>) -> Result<Self, Unproven> {
        let mut silence = Self {
            next: Instant::now() + EVERY,
            taken: session.ring.taken,
            unproven: None,
            entries: None,
            first: None,
        };
        match session.prove() {
            // A record is a better proof than a test run.
            Err(why @ Unproven::NotRun { .. }) if session.ring.taken == 0 => Err(why),
            result => {
                // A failed write ends the trace at the next line.
                let _ = silence.note(result.err(), output);
                Ok(silence)
            }
        }
    }

    /// Returns whether the next check is due.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// Repeats the check if no record has arrived since the last one. Returns whether none has.
    pub(super) fn look<W: io::Write>(
        &mut self,
        session: &Session,
        output: &mut Output<W>,
    ) -> io::Result<bool> {
        self.next = Instant::now() + EVERY;
        if std::mem::replace(&mut self.taken, session.ring.taken) != session.ring.taken {
            return Ok(false);
        }
        self.note(session.prove().err(), output)?;
        Ok(true)
    }

    /// Returns whether the number of entries changed since the last check, without a record. Only for a trace of one
    /// namespace without a filter.
    pub(super) async fn has_changed(&mut self, authority: &Authority, is_quiet: bool) -> bool {
        let before = self.entries.take();
        if !is_quiet {
            return false;
        }
        self.entries = authority.count().await;
        before.is_some() && self.entries.is_some() && before != self.entries
    }

    /// The first reason for doubt.
    pub(super) fn doubt(self) -> Option<Doubt> {
        self.first
    }

    /// Reports a change at once.
    fn note<W: io::Write>(&mut self, unproven: Option<Unproven>, output: &mut Output<W>) -> io::Result<()> {
        if unproven == self.unproven {
            return Ok(());
        }
        self.unproven.clone_from(&unproven);
        let time_ns = clock::monotonic_ns();
        if let Some(why) = &unproven
            && self.first.is_none()
        {
            self.first = Some(Doubt {
                time_ns,
                why: why.clone(),
            });
        }
        if output.is_json() {
            let line = Programs {
                r#type: tag::Programs,
                time_ns,
                run: unproven.as_ref().map_or(Some(true), Unproven::run),
                reason: unproven.as_ref().map(ToString::to_string),
            };
            return output.line(|out| json_line(out, &line));
        }
        match &unproven {
            Some(why) => message!("{why}"),
            None => message!("the kernel runs the attached programs again"),
        }
        Ok(())
    }
}
