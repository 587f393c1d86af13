//! Conntrack entries in ctnetlink's format.
//!
//! [`Entry::parse`] reads a message once, in place. Unknown attributes of newer kernels are kept in
//! [`Entry::unknown`], not refused. [`Change`] is a request to create, change, look up or delete an entry.
//! [`DumpFilter`] is the filter that the kernel applies.

mod attribute;
mod change;
mod counters;
mod entry;
mod filter;
mod helper;
mod nat;
mod protoinfo;
#[cfg(test)]
mod roundtrip;
#[cfg(test)]
pub(crate) mod samples;
mod seqadj;
mod synproxy;
#[cfg(test)]
mod tests;
mod timestamps;
mod tuple;

pub(super) use tuple::{emit as emit_tuple, parse as parse_tuple};

pub use change::Change;
pub(crate) use counters::Counters;
pub use entry::Entry;
pub(crate) use entry::{Basics, DecodeError};
pub use filter::{DumpFilter, MaskedU32, TupleFilter};
pub(crate) use helper::Helper;
pub(crate) use nat::Nat;
pub(crate) use protoinfo::{Dccp, DccpRole, ProtoInfo, Sctp, Tcp, TcpFlags};
pub(crate) use seqadj::SeqAdj;
pub(crate) use synproxy::Synproxy;
pub use tuple::TupleParts;
