//! rsct shows the effect of nf_conntrack on every packet and every entry.

#![warn(unreachable_pub)]

#[macro_use]
mod message;

mod causes;
pub mod cli;
mod clib;
pub mod conntrack;
mod doctor;
mod entry_spec;
pub mod family;
pub mod filter;
mod flow;
pub mod kernel;
pub mod labels;
mod latency;
pub mod load;
pub mod netlink;
mod nfct;
mod observe;
mod outside;
mod plural;
mod probe;
mod provenance;
pub mod recording;
mod records;

pub mod render;
pub mod rules;
pub mod schema;
#[cfg(test)]
mod seeds;
mod source;
mod sysctls;
mod timeouts;
mod waiting;
mod what_if;
mod why;

/// The kernel's numbers and their names.
pub use rsct_common::names;
