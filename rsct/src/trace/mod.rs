//! The running trace: the join turns records and dumps into observations for a renderer.
//!
//! [`run`] is the loop, [`join`] processes its input, [`summary`] is the result.

pub mod authority;
pub mod join;
pub mod lines;
pub mod output;
pub mod run;
pub mod silence;
pub mod summary;
pub mod unfired;
pub mod whys;
