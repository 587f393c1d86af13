//! The running trace: records and dumps go into the join, observations come out of it to a renderer.
//!
//! [`run`] is the loop, [`join`] what it feeds, [`summary`] what is left at the end.

pub mod authority;
pub mod join;
pub mod lines;
pub mod output;
pub mod run;
pub mod silence;
pub mod summary;
pub mod unfired;
pub mod whys;
