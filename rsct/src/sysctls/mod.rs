//! Static knowledge about conntrack's settings (net.netfilter.*).

mod known;
mod name;

pub(crate) use known::{Bounds, Known};
pub(crate) use name::{full, is_ours, short};
