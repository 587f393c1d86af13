//! Conntrack entries as ctnetlink sends and takes them.
//!
//! [`Entry::parse`] walks a message once, in place. What is not understood is kept, not refused: a
//! newer kernel's attributes are there in [`Entry::unknown`]. [`Change`] is what the kernel takes: an entry to make, to
//! change, to look up or to delete. [`DumpFilter`] is what it filters by itself.

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
pub use counters::Counters;
pub use entry::{DecodeError, Entry};
pub use filter::{DumpFilter, MaskedU32, TupleFilter, TupleParts};
pub use helper::Helper;
pub use nat::Nat;
pub use protoinfo::{Dccp, DccpRole, ProtoInfo, Sctp, Tcp, TcpFlags};
pub use seqadj::SeqAdj;
pub use synproxy::Synproxy;
pub use timestamps::Timestamps;
