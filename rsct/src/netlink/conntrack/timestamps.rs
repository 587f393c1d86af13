//! Times of an entry's confirmation and destruction.

use super::attribute::*;
use crate::netlink::{
    attr::{Attr, AttrError},
    emit::Emitter,
};

/// Times of an entry's confirmation and destruction, in nanoseconds since the epoch; present while
/// timestamping is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// Time of its confirmation.
    pub start_ns: Option<u64>,
    /// Time of its destruction.
    pub stop_ns: Option<u64>,
}

pub(super) fn parse(attr: Attr<'_>) -> Result<Timestamps, AttrError> {
    let mut timestamps = Timestamps::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_TIMESTAMP_START => timestamps.start_ns = Some(attr.be64()?),
            CTA_TIMESTAMP_STOP => timestamps.stop_ns = Some(attr.be64()?),
            _ => {}
        }
    }
    Ok(timestamps)
}

pub(super) fn emit(out: &mut Emitter<'_>, timestamps: Timestamps) {
    out.nest(CTA_TIMESTAMP, |out| {
        for (kind, time_ns) in [
            (CTA_TIMESTAMP_START, timestamps.start_ns),
            (CTA_TIMESTAMP_STOP, timestamps.stop_ns),
        ] {
            if let Some(time_ns) = time_ns {
                out.be64(kind, time_ns);
            }
        }
    });
}
