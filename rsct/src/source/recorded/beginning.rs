//! The notes that each file of a recording begins with, so that it can be read without the files before it.

use std::fs;

use serde::Serialize;

use super::{
    latency::LatencyNotes,
    wire::{CountedPart, Start, note},
};
use crate::{
    kernel::{clock, facts, interfaces::Names},
    observe::{AllCounts, Counted, Fact, Notice, Setup},
    recording::{WriteError, Writer},
};

/// The notes that the next file begins with.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) start: Start,
    facts: Vec<Fact>,
    notices: Vec<Notice>,
    /// The counts of causes, after the first reading.
    counted: Option<AllCounts>,
    /// The measurement of latency.
    pub(super) latency: LatencyNotes,
}

impl Beginning {
    pub(super) fn new(command: Vec<String>, setup: &Setup, names: Names) -> Self {
        Self {
            start: Start {
                rsct: env!("CARGO_PKG_VERSION").to_owned(),
                host: line_of("/proc/sys/kernel/hostname"),
                kernel: facts::release(),
                machine: std::env::consts::ARCH.to_owned(),
                boot_id: line_of("/proc/sys/kernel/random/boot_id"),
                command,
                realtime_offset_ns: clock::realtime_offset_ns(),
                setup: setup.clone(),
                names,
                from_ns: 0,
            },
            facts: Vec::new(),
            notices: Vec::new(),
            counted: None,
            latency: LatencyNotes::default(),
        }
    }

    /// Keeps a fact.
    pub(super) fn keep(&mut self, fact: &Fact) {
        keep(&mut self.facts, fact);
    }

    /// Keeps a notice, if it is about all records after it.
    pub(super) fn keep_notice(&mut self, notice: &Notice) {
        if matches!(notice, Notice::Causes { .. } | Notice::NoCauses) {
            self.notices.push(notice.clone());
        }
    }

    /// Keeps a reading of the counts.
    pub(super) fn keep_counts(&mut self, counted: &Counted) {
        self.counted.get_or_insert_default().add(counted);
    }

    /// Writes the first notes of the first file.
    pub(super) fn write(&self, writer: &mut Writer, now_ns: u64) -> Result<(), WriteError> {
        note_of(writer, note::START, &self.start, now_ns)?;
        for fact in &self.facts {
            note_of(writer, note::FACT, fact, now_ns)?;
        }
        for notice in &self.notices {
            note_of(writer, note::NOTICE, notice, now_ns)?;
        }
        match &self.counted {
            Some(counted) => count(writer, &counted.repeated(), now_ns),
            None => Ok(()),
        }
    }

    /// Begins the next file.
    pub(super) fn rotate(&mut self, writer: &mut Writer, now_ns: u64) -> Result<(), WriteError> {
        self.start.realtime_offset_ns = clock::realtime_offset_ns();
        writer.rotate(|writer| {
            self.write(writer, now_ns)?;
            self.latency.head(writer, now_ns)
        })
    }
}

/// Keeps a fact for the heads of later files, in place of an older one about the same.
pub(super) fn keep(facts: &mut Vec<Fact>, fact: &Fact) {
    match fact {
        Fact::Defaults { netns, .. } => {
            facts.retain(|known| !matches!(known, Fact::Defaults { netns: of, .. } if of == netns));
        }
        Fact::Objects { netns, .. } => {
            facts.retain(|known| !matches!(known, Fact::Objects { netns: of, .. } if of == netns));
        }
        Fact::Symbols(_) | Fact::Names(_) => {}
    }
    facts.push(fact.clone());
}

/// Writes a reading of the counts.
pub(super) fn count(writer: &mut Writer, counted: &Counted, now_ns: u64) -> Result<(), WriteError> {
    CountedPart::of(counted)
        .iter()
        .try_for_each(|part| note_of(writer, note::COUNTED, part, now_ns))
}

/// Writes a note.
pub(super) fn note_of(
    writer: &mut Writer,
    name: &str,
    note: &impl Serialize,
    now_ns: u64,
) -> Result<(), WriteError> {
    // Maps have keys of text or numbers only, so this cannot fail.
    let json = serde_json::to_vec(note).unwrap_or_default();
    writer.note(name, &json, now_ns)
}

/// The line of a file; empty if it cannot be read.
fn line_of(path: &str) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim_end().to_owned())
        .unwrap_or_default()
}
