//! Where lines go, and in which format.

use std::io::{self, Write};

use crate::{
    flow::observation::{Observation, Observer},
    render::{story::Story, timeout_history::TimeoutHistory, trace_json::TraceJson},
    what_if::Watching,
};

/// How observations look.
#[derive(Debug)]
pub enum Format {
    /// Lines for people.
    Text(Story),
    /// A JSON object a line.
    Json(TraceJson),
    /// Flows' timeouts, for people.
    Timeouts(TimeoutHistory),
    /// Nothing but losses for now: what happens is taken in for what is said at the end.
    WhatIf {
        /// What takes it in.
        watching: Box<Watching>,
        /// Whether what is said is JSON.
        json: bool,
    },
    /// What an observer writes.
    Observed {
        /// Who takes in what happens.
        by: Box<dyn Observer>,
        /// Whether lines are JSON.
        json: bool,
    },
    /// Nothing: only the summary.
    None,
}

/// Lines on their way out.
pub struct Output<W> {
    format: Format,
    /// Whether only of timeouts is told.
    only_timeouts: bool,
    buffer: Vec<u8>,
    to: W,
}

/// Lines are handed on in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;

impl<W: Write> Output<W> {
    /// Lines of `format` to `to`.
    pub fn new(format: Format, to: W) -> Self {
        Self {
            format,
            only_timeouts: false,
            buffer: Vec::with_capacity(PIECE_BYTES + 4096),
            to,
        }
    }

    /// From now on only what gives an entry a timeout, or takes it away with its entry, is told.
    pub fn only_of_timeouts(&mut self) {
        self.only_timeouts = true;
    }

    /// The line above all others, where the format has one.
    pub fn header(&mut self) {
        if let Format::Text(story) = &self.format {
            story.header(&mut self.buffer);
        }
    }

    /// Whether anything is shown at all.
    pub fn is_silent(&self) -> bool {
        matches!(self.format, Format::None)
    }

    /// Whether lines are JSON.
    pub fn is_json(&self) -> bool {
        matches!(
            self.format,
            Format::Json(_) | Format::WhatIf { json: true, .. } | Format::Observed { json: true, .. }
        )
    }

    /// The format, with all that it has taken in.
    pub fn into_format(self) -> Format {
        self.format
    }

    /// One observation.
    pub fn observe(&mut self, observation: Observation<'_>) -> io::Result<()> {
        if self.only_timeouts && !observation.is_of_timeouts() {
            return Ok(());
        }
        match &mut self.format {
            Format::Text(story) => story.line(&mut self.buffer, observation),
            Format::Json(json) => json.line(&mut self.buffer, observation),
            Format::Timeouts(history) => history.line(&mut self.buffer, observation),
            Format::WhatIf { watching, .. } => watching.observe(observation),
            Format::Observed { by, .. } => by.observe(&mut self.buffer, observation),
            Format::None => return Ok(()),
        }
        self.hand_on_pieces()
    }

    /// Something else, a whole line of the format.
    pub fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        write(&mut self.buffer);
        self.hand_on_pieces()
    }

    fn hand_on_pieces(&mut self) -> io::Result<()> {
        if self.buffer.len() < PIECE_BYTES {
            Ok(())
        } else {
            self.flush()
        }
    }

    /// Hands on all there is.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.to.write_all(&self.buffer).and_then(|()| self.to.flush());
        self.buffer.clear();
        result
    }
}
