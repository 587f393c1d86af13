//! Diagnosis of flows: from the requested flow and the packets that were seen to a verdict with advice.
//!
//! [`words`] parses the flow, [`sightings`] counts packets by hook and outcome, [`unreplied`] and [`flow`] judge.

pub mod flow;
pub mod sightings;
pub mod unreplied;
pub mod words;
