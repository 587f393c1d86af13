//! One occurrence of a cause, as data for a trace.

use rsct_common::{
    Tuple, TupleWords,
    record::{CauseFamily, CauseFlags, CauseRecord, what},
};
use zerocopy::FromZeros as _;

use crate::kernel::text::Symbols;

use super::{Cause, Evidence, delete, drop, invalid::InvalidCause, window::Miss};

/// A cause and its details.
#[derive(Clone, Debug)]
pub(crate) struct Why {
    /// The cause.
    pub cause: Cause,
    /// The record.
    pub record: CauseRecord,
    /// The kernel's text, if there is one: of a drop its reason and place.
    pub said: Option<String>,
    /// The functions that called for it, the innermost first.
    pub callers: Vec<String>,
    /// The bound of TCP's window that the segment missed, and by how much.
    pub miss: Option<Miss>,
}

/// Enough callers to identify the cause.
const CALLERS: usize = 4;

impl Why {
    /// Determines the cause of an INVALID packet without a record. `all_seen`: no record was lost, so the kernel
    /// logged no reason.
    pub(crate) fn without_reason(tuple: &TupleWords, netns: u32, time_ns: u64, all_seen: bool) -> Self {
        let headers = Tuple::from_words(*tuple);
        let record = CauseRecord {
            family: CauseFamily::Invalid as u8,
            what: what::INVALID_NO_REASON,
            netns,
            time_ns,
            tuple: *tuple,
            ..CauseRecord::new_zeroed()
        };
        Self {
            cause: Cause::Invalid(match all_seen {
                true => InvalidCause::of_kind(headers.protonum, u64::from(headers.icmp_type_code().0)),
                false => InvalidCause::Unknown,
            }),
            record,
            said: None,
            callers: Vec::new(),
            miss: None,
        }
    }

    /// Reads a record; none if this rsct does not know its family.
    pub(crate) fn of(record: &CauseRecord, symbols: &Symbols) -> Option<Self> {
        let key = record.key();
        let evidence = Evidence {
            key: &key,
            text: &record.text,
        };
        let cause = Cause::of(&evidence, symbols)?;
        let said = match cause {
            Cause::Drop(_) => drop::place(&key, symbols).unwrap_or_default(),
            _ => String::from_utf8_lossy(evidence.text()).into_owned(),
        };
        let callers = match cause {
            Cause::Delete(_) => delete::callers(&key, symbols)
                .take(CALLERS)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        };
        let miss = match cause {
            Cause::Invalid(cause) if record.flags & CauseFlags::WINDOW != 0 => {
                Miss::of(cause, &record.numbers)
            }
            _ => None,
        };
        Some(Self {
            cause,
            record: *record,
            said: (!said.is_empty()).then_some(said),
            callers,
            miss,
        })
    }
}
