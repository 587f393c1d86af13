//! The running trace: the join turns records and dumps into observations for a renderer.
//!
//! [`run`] is the loop, [`join`] processes its input, [`summary`] is the result.

pub(crate) mod authority;
pub(crate) mod join;
pub(crate) mod lines;
pub(crate) mod output;
pub(crate) mod run;
pub(crate) mod silence;
pub(crate) mod summary;
pub(crate) mod unfired;
pub(crate) mod whys;
