//! Whether the kernel still runs the programs while no record arrives: a silent source is not a quiet one.

use std::{io, time::Duration};

use tokio::time::Instant;

use crate::{
    kernel::clock,
    probe::{proof::Unproven, session::Session},
    render::bytes::json_line,
    schema::{tag, trace::Programs},
};

use super::{authority::Authority, output::Output};

/// How often the proof is repeated while no record arrives.
const EVERY: Duration = Duration::from_secs(1);

/// What is known of it.
pub(super) struct Silence {
    next: Instant,
    /// The records taken at the last look.
    taken: u64,
    unproven: Option<Unproven>,
    /// The entries of the table at the last look, if no record had arrived then.
    entries: Option<u32>,
    /// The first reason for doubt, and when it was found.
    first: Option<Doubt>,
}

/// Why records may be missing.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// When it was found, by the monotonic clock.
    pub time_ns: u64,
    /// The reason.
    pub why: Unproven,
}

impl Silence {
    /// Proves that the programs run. An error is a proof of the contrary.
    pub(super) fn begin<W: io::Write>(session: &Session, output: &mut Output<W>) -> Result<Self, Unproven> {
        let mut silence = Self {
            next: Instant::now() + EVERY,
            taken: session.ring.taken,
            unproven: None,
            entries: None,
            first: None,
        };
        match session.prove() {
            // A record proves more than a test does.
            Err(why @ Unproven::NotRun { .. }) if session.ring.taken == 0 => Err(why),
            result => {
                // The first line that cannot be written ends the trace, whichever it is.
                let _ = silence.note(result.err(), output);
                Ok(silence)
            }
        }
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// Repeats the proof if no record has arrived since the last look. Returns whether none has.
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

    /// Whether the table has another number of entries than at the last look, with no record in between. Only the one
    /// namespace of a trace without a filter is counted.
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
