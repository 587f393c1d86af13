//! What there is to know of conntrack's timeouts before any kernel is asked: each protocol's states, what the kernel,
//! `nfct` and sysctl call them, and what each is for.

mod protocol;

pub use protocol::{PROTOCOLS, Protocol, State};

/// The number that stands for every protocol without a handler of its own, in ctnetlink and in `nfct`.
pub const GENERIC: u8 = 255;
