//! Topics answered from cause counters: the families of each, and the causes that it reports.

use rsct_common::record::CauseFamily;

use crate::{
    causes::{Cause, nat::NatCause},
    why::Topic,
};

/// A topic of one family and all of its causes.
const fn all_of(family: &'static [CauseFamily; 1], things: [&'static str; 2]) -> Topic {
    Topic {
        name: family[0].name(),
        things,
        families: family,
        shows: |_| true,
    }
}

pub(super) const INVALID: Topic = all_of(
    &[CauseFamily::Invalid],
    ["packet is INVALID", "packets are INVALID"],
);
pub(super) const DELETE: Topic = all_of(
    &[CauseFamily::Delete],
    ["entry left the table", "entries left the table"],
);
pub(super) const INSERT: Topic = all_of(
    &[CauseFamily::Insert],
    ["insert failed or clashed", "inserts failed or clashed"],
);
pub(super) const LOST: Topic = all_of(&[CauseFamily::Lost], ["event was lost", "events were lost"]);
pub(super) const DROP: Topic = all_of(
    &[CauseFamily::Drop],
    [
        "packet ended without a confirmed entry",
        "packets ended without a confirmed entry",
    ],
);
pub(super) const NAT: Topic = Topic {
    // A taken port is a try, not a search; tries are compared with the kernel's counter.
    shows: |cause| cause != Cause::Nat(NatCause::Taken),
    ..all_of(&[CauseFamily::Nat], ["flow was set up", "flows were set up"])
};

/// All causes of drops, failed inserts and deletions. A cause with names in two families is reported once.
pub(super) const ALL: Topic = Topic {
    name: "all",
    things: [
        "drop, failed insert or deletion",
        "drops, failed inserts and deletions",
    ],
    families: &CauseFamily::ALL,
    shows: |cause| !cause.is_ordinary(),
};
