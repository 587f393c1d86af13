//! The topics that causes alone answer: which families are looked for, and what of them is told.

use rsct_common::record::CauseFamily;

use super::causes::Topic;
use crate::causes::{Cause, nat::NatCause};

/// A family's own topic, with all of its causes.
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
    ["entry met an obstacle", "entries met an obstacle"],
);
pub(super) const LOST: Topic = all_of(
    &[CauseFamily::Lost],
    ["event did not arrive", "events did not arrive"],
);
pub(super) const DROP: Topic = all_of(
    &[CauseFamily::Drop],
    ["packet had no lasting entry", "packets had no lasting entry"],
);
pub(super) const NAT: Topic = Topic {
    // Tries are no searches; they are held against the kernel's counter.
    shows: |cause| cause != Cause::Nat(NatCause::Taken),
    ..all_of(&[CauseFamily::Nat], ["flow was set up", "flows were set up"])
};

/// Whatever comes to a bad end. What has another name under another family is told of once.
pub(super) const ALL: Topic = Topic {
    name: "all",
    things: [
        "time something came to its end",
        "times something came to its end",
    ],
    families: &CauseFamily::ALL,
    shows: |cause| !cause.is_ordinary(),
};
