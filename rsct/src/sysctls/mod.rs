//! What there is to know of conntrack's settings (net.netfilter.*) before any kernel is asked.

mod known;
mod name;

pub use known::{Bounds, Known};
pub use name::{full, is_ours, short};
