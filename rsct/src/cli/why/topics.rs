//! The topics that causes alone answer: which families are looked for, and what of them is told.

use rsct_common::record::CauseFamily;

use super::causes::Topic;
use crate::causes::{Cause, nat::NatCause};

/// A family's own topic, with all of its causes.
const fn all_of(family: &'static [CauseFamily; 1], things: &'static str) -> Topic {
    Topic {
        name: family[0].name(),
        things,
        families: family,
        shows: |_| true,
    }
}

pub(super) const INVALID: Topic = all_of(&[CauseFamily::Invalid], "packets are INVALID");
pub(super) const DELETE: Topic = all_of(&[CauseFamily::Delete], "entries left the table");
pub(super) const INSERT: Topic = all_of(&[CauseFamily::Insert], "entries met an obstacle");
pub(super) const LOST: Topic = all_of(&[CauseFamily::Lost], "events did not arrive");
pub(super) const DROP: Topic = all_of(&[CauseFamily::Drop], "packets had no lasting entry");
pub(super) const NAT: Topic = Topic {
    // Tries are no searches; they are held against the kernel's counter.
    shows: |cause| cause != Cause::Nat(NatCause::Taken),
    ..all_of(&[CauseFamily::Nat], "flows were set up")
};

/// Whatever comes to a bad end. What has another name under another family is told of once.
pub(super) const ALL: Topic = Topic {
    name: "all",
    things: "times something came to its end",
    families: &CauseFamily::ALL,
    shows: |cause| !cause.is_ordinary(),
};
