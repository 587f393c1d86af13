//! Conntrack's timeouts: each protocol's states, their names in the kernel, `nfct` and sysctl, their meanings, and the values
//! in force.

mod builtin;
mod census;
mod governing;
mod histogram;
mod in_force;
mod protocol;
mod reduction;
mod source;
mod spans;

pub use builtin::Builtin;
pub use census::Census;
pub use governing::{generic, is_reduction, state_of};
pub use histogram::{Bucket, Histogram};
pub use in_force::{StateValue, TimeoutValues, ValuesError, is_without_cttimeout};
pub use protocol::{PROTOCOLS, Protocol, State};
pub use reduction::{Governing, Reduction, Sight, TcpSigns, governing};
pub use source::{Setter, TimeoutSource};
pub use spans::Spans;

/// The number that stands for every protocol without a handler of its own, in ctnetlink and in `nfct`.
pub const GENERIC: u8 = 255;
