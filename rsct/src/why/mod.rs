//! Diagnosis of flows: from the requested flow and the packets that were seen to a verdict with advice.
//!
//! [`words`] parses the flow, [`sightings`] counts packets by hook and outcome, [`unreplied`] and [`flow`] judge.
//! [`topic_inputs`] collects what a topic of causes needs, [`answered`] computes the answer.

mod answered;
pub(crate) mod flow;
mod losses;
mod readings;
pub(crate) mod sightings;
mod topic;
mod topic_inputs;
#[cfg(test)]
mod topic_tests;
pub(crate) mod topics;
pub(crate) mod unreplied;
pub(crate) mod words;

pub(crate) use topic::Topic;
pub(crate) use topic_inputs::TopicInputs;
