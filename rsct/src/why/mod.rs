//! Diagnosis of flows: from the requested flow and the packets that were seen to a verdict with advice.
//!
//! [`words`] parses the flow, [`sightings`] counts packets by hook and outcome, [`unreplied`] and [`flow`] judge.

pub(crate) mod flow;
pub(crate) mod sightings;
pub(crate) mod unreplied;
pub(crate) mod words;
