//! rsct shows the effect of nf_conntrack on every packet and every entry.
//!
//! The `rsct` command is built on this library. Programs can use the same observations:
//!
//! | item | contents |
//! |---|---|
//! | [`Tracer`] | traces the running kernel with eBPF programs, joined with ctnetlink dumps |
//! | [`Recording`] | the same observations from a file of `rsct record`, on any machine, without privileges |
//! | [`Observer`] | the trait that a program implements to consume them |
//! | [`Observation`] | a [`Packet`], an [`Event`] of an entry, or a [`Why`]: a [`Cause`] with its details |
//! | [`Flow`] | the flow that a packet or an event belongs to |
//! | [`Summary`] | the closing figures, with every lost record |
//! | [`Conntrack`] | the kernel's table: [`Conntrack::entries`] with a [`Filter`] |
//!
//! ```
//! use rsct::{Observation, Observer, Recording};
//!
//! /// Counts packets.
//! struct Packets(u64);
//!
//! impl Observer for Packets {
//!     fn observe(&mut self, observation: &Observation<'_>) {
//!         self.0 += u64::from(matches!(observation, Observation::Packet(_)));
//!     }
//! }
//!
//! let mut packets = Packets(0);
//! let summary = Recording::open("tests-data/udp.rsct")?.run(&mut packets)?;
//! assert_eq!((packets.0, summary.lost()), (4, 0));
//! # Ok::<(), rsct::TraceError>(())
//! ```
//!
//! A trace of the running kernel has the same observer: see [`Tracer`], and the program `examples/rates.rs`.

#![warn(unreachable_pub)]

#[macro_use]
mod message;

mod causes;
mod clib;
mod confine;
mod conntrack;
mod doctor;
mod entry_spec;
mod export;
mod family;
mod filter;
mod flow;
#[cfg(test)]
mod kept;
mod kernel;
mod labels;
mod latency;
mod library;
mod load;
mod metrics;
mod netlink;
mod nfct;
mod observe;
mod outside;
mod plural;
mod probe;
mod provenance;
mod recording;
mod records;
mod render;
mod report;
mod rules;
mod schema;
#[cfg(test)]
mod seeds;
mod snapshot;
mod source;
mod sysctls;
mod table;
mod timeouts;
mod waiting;
mod what_if;
mod why;

pub use library::*;

#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod internals;

/// Compiles the program of docs/library.md.
#[cfg(doctest)]
#[doc = include_str!("../../docs/library.md")]
struct Page;

/// The kernel's numbers and their names.
pub(crate) use rsct_common::names;
