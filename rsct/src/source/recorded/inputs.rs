//! Records and notes of a recording as inputs.

use rsct_common::record::EntryKind;
use serde::de::DeserializeOwned;
use zerocopy::FromBytes as _;

use crate::{
    observe::{Consumer, Fact, Input},
    records::Record,
};

use super::wire::{self, CountedPart, DumpBegins, DumpEnds, DumpedRecord, TimeRecord, note};

/// Passes on a record up to `to_ns`. Returns the time that it marks, if it marks one.
#[inline]
pub(super) fn record(bytes: &[u8], to_ns: u64, consumer: &mut impl Consumer) -> Option<u64> {
    match *bytes.first()? {
        wire::TIME => return Some(TimeRecord::ref_from_bytes(bytes).ok()?.now_ns),
        wire::DUMPED => {
            let (entry, now_ns) = DumpedRecord::ref_from_bytes(bytes).ok()?.entry();
            consumer.take(Input::Dumped {
                entry: &entry,
                now_ns,
            });
        }
        // Kinds of newer versions are skipped.
        _ => {
            let record = Record::decode(bytes)?;
            if record.time_ns().is_none_or(|time_ns| time_ns <= to_ns) {
                consumer.take(Input::Record(record));
            }
        }
    }
    None
}

/// Passes on a record that a later dump does not replace: of a policy, or of a destroyed entry, which needs none. Other
/// records are skipped.
pub(super) fn beyond_dumps(bytes: &[u8], consumer: &mut impl Consumer) {
    let is_needed = |record: &Record<'_>| match record {
        Record::Policy(_) => true,
        Record::Entry(record) => record.what == EntryKind::Destroy as u8,
        _ => false,
    };
    if let Some(record) = Record::decode(bytes).filter(is_needed) {
        consumer.take(Input::Record(record));
    }
}

/// Passes on a reading of counts after its last part. Returns the parts so far of an incomplete one.
pub(super) fn counted(
    before: Option<CountedPart>,
    json: &[u8],
    consumer: &mut impl Consumer,
) -> Option<CountedPart> {
    let part = parsed::<CountedPart>(json)?;
    let all = match before {
        Some(mut all) if all.counted.time_ns == part.counted.time_ns => {
            all.append(part);
            all
        }
        _ => part,
    };
    if all.more {
        return Some(all);
    }
    consumer.take(Input::Counted(&all.counted));
    None
}

/// Passes on a note about a dump or a fact. Names of newer versions are skipped.
pub(super) fn note(name: &str, json: &[u8], consumer: &mut impl Consumer) {
    match name {
        note::DUMP_BEGINS => {
            if let Some(DumpBegins { now_ns }) = parsed(json) {
                consumer.take(Input::DumpBegins { now_ns });
            }
        }
        note::DUMP_ENDS => {
            if let Some(ends) = parsed::<DumpEnds>(json) {
                consumer.take(Input::DumpEnds {
                    now_ns: ends.now_ns,
                    covered: ends.covered.as_ref(),
                    lost: ends.lost,
                });
            }
        }
        note::FACT => {
            if let Some(fact) = parsed::<Fact>(json) {
                consumer.take(Input::Fact(&fact));
            }
        }
        _ => {}
    }
}

pub(super) fn parsed<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice(json).ok()
}
