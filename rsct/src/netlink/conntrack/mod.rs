//! Conntrack entries as ctnetlink sends them.
//!
//! [`Entry::parse`] walks a message once, in place. What is not understood is kept, not refused: a
//! newer kernel's attributes are there in [`Entry::unknown`].

mod attribute;
mod entry;
mod protoinfo;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod tuple;

pub(super) use attribute::{CTA_TUPLE_ORIG, CTA_ZONE};
pub(super) use tuple::emit as emit_tuple;

pub use entry::{Counters, DecodeError, Entry, Helper, SeqAdj, Synproxy, Timestamps};
pub use protoinfo::{Dccp, DccpRole, ProtoInfo, Sctp, Tcp, TcpFlags};
