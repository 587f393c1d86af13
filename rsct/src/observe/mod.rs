//! The trunk: a source reports [`Input`]s, the [`Model`] joins them, and an [`Observer`] consumes what the model observes.
//!
//! Nothing here asks the kernel, reads a clock or writes: the running kernel and a recording lead to the same observations.

mod chosen;
mod counted;
mod counts;
mod ended;
mod fact;
mod input;
mod joined;
mod model;
mod notice;
mod observation;
mod observer;
mod selection;
mod setup;
mod summary;
mod unfired;
mod whys;

pub(crate) use chosen::Chosen;
pub(crate) use counted::{AllCounts, Counted};
pub(crate) use counts::Counts;
pub(crate) use ended::{Doubt, Ended};
pub(crate) use fact::{Fact, SymbolFacts, TimeoutObject, Want};
pub(crate) use input::{Consumer, Covered, Input};
pub(crate) use joined::Joined;
pub(crate) use model::Model;
pub(crate) use notice::Notice;
pub(crate) use observation::{Observation, Reason};
pub(crate) use observer::Observer;
pub(crate) use selection::Selection;
pub(crate) use setup::Setup;
pub(crate) use summary::Summary;
pub(crate) use unfired::Unfired;
pub(crate) use whys::may_have_cause;
