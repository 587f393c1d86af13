//! Measured durations as notes of a recording. The first note of a file has all counters, later ones what changed.

use super::{beginning::note_of, inputs::parsed, wire::note};
use crate::{
    latency::{Begins, Changes, Measured, Snapshot},
    observe::{Consumer, Input},
    recording::{WriteError, Writer},
};

/// Writes the notes.
#[derive(Debug, Default)]
pub(super) struct LatencyNotes {
    begins: Option<Begins>,
    last: Snapshot,
}

impl LatencyNotes {
    /// Writes an input.
    pub(super) fn write(
        &mut self,
        writer: &mut Writer,
        measured: Measured<'_>,
        now_ns: u64,
    ) -> Result<(), WriteError> {
        match measured {
            Measured::Begins(begins) => {
                self.begins = Some(begins.clone());
                self.last = Snapshot::default();
                note_of(writer, note::LATENCY_BEGINS, begins, now_ns)
            }
            Measured::Snapshot(snapshot) => {
                let changes = Changes::between(&self.last, snapshot);
                self.last.clone_from(snapshot);
                note_of(writer, note::LATENCY, &changes, now_ns)
            }
        }
    }

    /// Begins a later file with all that earlier ones have.
    pub(super) fn head(&self, writer: &mut Writer, now_ns: u64) -> Result<(), WriteError> {
        let Some(begins) = &self.begins else {
            return Ok(());
        };
        note_of(writer, note::LATENCY_BEGINS, begins, now_ns)?;
        let all = Changes::between(&Snapshot::default(), &self.last);
        note_of(writer, note::LATENCY, &all, now_ns)
    }
}

/// Merges the notes of a file.
#[derive(Debug, Default)]
pub(super) struct MergedLatency(Snapshot);

impl MergedLatency {
    /// Passes on what a note contains, if it is about durations.
    pub(super) fn note(&mut self, name: &str, json: &[u8], consumer: &mut impl Consumer) {
        match name {
            note::LATENCY_BEGINS => {
                if let Some(begins) = parsed::<Begins>(json) {
                    consumer.take(Input::Latency(Measured::Begins(&begins)));
                }
            }
            note::LATENCY => {
                if let Some(changes) = parsed::<Changes>(json) {
                    changes.apply(&mut self.0);
                    consumer.take(Input::Latency(Measured::Snapshot(&self.0)));
                }
            }
            _ => {}
        }
    }
}
