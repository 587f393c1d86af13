//! Passes over the records that a window does not need: those before the last whole dump before it.
//!
//! Notes are still read, and records of policies, which no dump contains. The reader finds the next head by the length in
//! the one before, so that it also works in files without an index: the part that a killed recorder has written.

use rsct_common::record::kind;

use crate::{
    observe::Covered,
    recording::{Body, Head, Reader, frame},
};

use super::{
    FileError,
    file::File,
    input::Input,
    inputs::parsed,
    wire::{DumpEnds, Start, note},
};

/// A reading of counts is at most so old: the records since the reading before a window are needed.
const MARGIN_NS: u64 = 2_000_000_000;

/// The part of a file that need not be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skip {
    /// The position of its end.
    until: u64,
}

impl Skip {
    /// The whole file.
    const ALL: Self = Self { until: u64::MAX };

    /// Returns whether the current frame is in it.
    pub(super) fn is_before(self, reader: &Reader<Input>) -> bool {
        reader.offset() < self.until
    }
}

impl File {
    /// Passes over the next frame if it need not be read.
    pub(super) fn passed_over(&mut self) -> Result<Option<Head>, FileError> {
        if self.reader.bytes() >= self.skip.until {
            return Ok(None);
        }
        let passed = self.reader.pass_over(|head| head.kinds.may_have(kind::POLICY));
        passed.map_err(|error| self.failed(error))
    }

    /// The position of the last dump that is whole and ends before `from_ns`.
    fn last_dump(&mut self, from_ns: u64) -> Result<Option<u64>, FileError> {
        let begin = self.reader.mark();
        let found = self.find_dump(from_ns);
        self.reader.return_to(begin).map_err(|error| self.failed(error))?;
        found
    }

    fn find_dump(&mut self, from_ns: u64) -> Result<Option<u64>, FileError> {
        let (mut found, mut begins) = (None, None);
        loop {
            let passed = self.reader.pass_over(|_| false);
            let passed = passed.map_err(|error| self.failed(error))?;
            let head = match passed {
                Some(head) => head,
                None => match self.reader.advance().map_err(|error| self.failed(error))? {
                    Some(head) => head,
                    None => return Ok(found),
                },
            };
            if head.first_ns > from_ns && head.first_ns != u64::MAX {
                return Ok(found);
            }
            if head.frame != frame::NOTE {
                continue;
            }
            let at = self.reader.offset();
            let Some(Body::Note(note)) = self.reader.body() else {
                return Ok(found);
            };
            match note.name {
                note::DUMP_BEGINS => begins = Some(at),
                note::DUMP_ENDS => {
                    let ends = parsed::<DumpEnds>(note.json);
                    let is_whole = ends.is_some_and(|ends| {
                        ends.now_ns.saturating_add(MARGIN_NS) <= from_ns
                            && ends.covered.as_ref().is_some_and(covers_all)
                    });
                    if is_whole && let Some(begins) = begins {
                        found = Some(begins);
                    }
                }
                // The dumps of a recording with another scope do not contain the flows of this one.
                note::START
                    if !parsed::<Start>(note.json)
                        .is_some_and(|start| has_same_scope(&start, &self.start)) =>
                {
                    return Ok(None);
                }
                _ => {}
            }
        }
    }
}

fn covers_all(covered: &Covered) -> bool {
    !covered.whole.is_empty() && covered.opened.is_subset(&covered.whole)
}

fn has_same_scope(one: &Start, other: &Start) -> bool {
    one.boot_id == other.boot_id
        && one.setup.only_netns == other.setup.only_netns
        && one.setup.is_unfiltered == other.setup.is_unfiltered
}

/// Decides which frames before a window a reader may pass over. The files are of one recorder, the oldest first.
pub(super) fn seek(files: &mut [File], from_ns: u64) -> Result<(), FileError> {
    let are_files = files.iter().all(|file| file.size.is_some());
    let are_of_one = files
        .windows(2)
        .all(|pair| matches!(pair, [one, next] if one.start.setup == next.start.setup));
    if from_ns <= MARGIN_NS || !are_files || !are_of_one {
        return Ok(());
    }
    for index in (0..files.len()).rev() {
        let (earlier, rest) = files.split_at_mut(index);
        let Some(file) = rest.first_mut() else {
            return Ok(());
        };
        if file.begun_ns > from_ns {
            continue;
        }
        if let Some(until) = file.last_dump(from_ns)? {
            file.skip = Skip { until };
            earlier.iter_mut().for_each(|file| file.skip = Skip::ALL);
            return Ok(());
        }
    }
    Ok(())
}
