//! Why a flow is as it is: what was asked, what was seen of it, and what follows from that.
//!
//! [`words`] reads which flow is meant, [`sightings`] keeps what passed where, [`unreplied`] and [`flow`] judge.

pub mod flow;
pub mod sightings;
pub mod unreplied;
pub mod words;
