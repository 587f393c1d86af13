//! The state of the programs of causes.

use serde::{Deserialize, Serialize};

use crate::{
    probe::proof::Unproven,
    records::{Lost, Skips},
};

use super::Unseen;

/// The attached programs and their losses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProgramsState {
    /// True if they leave packets to the records of a trace: they count neither INVALID packets nor packets that are
    /// dropped without an entry.
    pub leaves_packets: bool,
    /// The hooks that are not attached.
    pub unseen: Vec<Unseen>,
    /// Why the programs may not run.
    pub unproven: Option<Unproven>,
    /// The lost records.
    pub lost: Lost,
    /// The program runs that the kernel skipped.
    pub skips: Skips,
    /// Records that could not be decoded.
    pub malformed: u64,
}
