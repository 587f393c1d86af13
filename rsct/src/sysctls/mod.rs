//! Static knowledge about conntrack's settings (net.netfilter.*).

mod known;
mod name;

pub use known::{Bounds, Known};
pub use name::{full, is_ours, short};
