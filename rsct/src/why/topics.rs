//! Topics answered from cause counters: the families of each, and the causes that it reports.

use rsct_common::record::CauseFamily;

use super::Topic;
use crate::causes::{Cause, delete::DeleteCause, nat::NatCause};

/// A topic of one family and all of its causes.
const fn all_of(family: &'static [CauseFamily; 1], things: [&'static str; 2]) -> Topic {
    Topic {
        name: family[0].name(),
        things,
        families: family,
        shows: |_| true,
    }
}

pub(crate) const INVALID: Topic = all_of(
    &[CauseFamily::Invalid],
    ["packet is INVALID", "packets are INVALID"],
);
pub(crate) const DELETE: Topic = all_of(
    &[CauseFamily::Delete],
    ["entry left the table", "entries left the table"],
);
pub(crate) const INSERT: Topic = all_of(
    &[CauseFamily::Insert],
    ["insert failed or clashed", "inserts failed or clashed"],
);
pub(crate) const LOST: Topic = all_of(&[CauseFamily::Lost], ["event was lost", "events were lost"]);
pub(crate) const DROP: Topic = all_of(
    &[CauseFamily::Drop],
    [
        "packet ended without a confirmed entry",
        "packets ended without a confirmed entry",
    ],
);
pub(crate) const NAT: Topic = Topic {
    // A taken port is a try, not a search; tries are compared with the kernel's counter.
    shows: |cause| cause != Cause::Nat(NatCause::Taken),
    ..all_of(&[CauseFamily::Nat], ["flow was set up", "flows were set up"])
};

/// All causes of drops, failed inserts and deletions. A cause with names in two families is reported once.
pub(crate) const ALL: Topic = Topic {
    name: "all",
    things: [
        "drop, failed insert or deletion",
        "drops, failed inserts and deletions",
    ],
    families: &CauseFamily::ALL,
    shows: |cause| !cause.is_ordinary(),
};

/// Refused entries, and those that made room for others.
pub(crate) const FULL: Topic = Topic {
    name: "full",
    things: [
        "entry was refused, or replaced another",
        "entries were refused, or replaced others",
    ],
    families: &[CauseFamily::Full, CauseFamily::Delete],
    shows: |cause| {
        matches!(
            cause,
            Cause::Full(_) | Cause::Delete(DeleteCause::EarlyDrop | DeleteCause::Pressure)
        )
    },
};
