//! Conntrack's timeouts: each protocol's states, their names in the kernel, `nfct` and sysctl, their meanings, and the values
//! in force.

use std::collections::HashMap;

mod builtin;
mod census;
mod governing;
mod histogram;
mod in_force;
mod protocol;
mod reduction;
mod source;
mod spans;

pub(crate) use builtin::Builtin;
pub(crate) use census::Census;
pub(crate) use governing::{is_reduction, state_of};
pub(crate) use histogram::Histogram;
pub(crate) use in_force::{StateValue, TimeoutValues, ValuesError, is_without_cttimeout};
pub(crate) use protocol::{PROTOCOLS, Protocol, State};
pub(crate) use reduction::{Governing, Reduction, Sight, TcpSigns, governing};
pub(crate) use source::{Setter, TimeoutSource};
pub(crate) use spans::Spans;

/// The number that stands for every protocol without a handler of its own, in ctnetlink and in `nfct`.
pub(crate) const GENERIC: u8 = 255;

/// The default timeouts of a namespace, by protocol number.
pub(crate) type Defaults = HashMap<u8, Spans>;
