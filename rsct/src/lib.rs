//! rsct shows the effect of nf_conntrack on every packet and every entry.

#[macro_use]
mod message;

pub mod causes;
pub mod cli;
mod clib;
pub mod conntrack;
pub mod doctor;
pub mod entry_spec;
pub mod family;
pub mod filter;
pub mod flow;
pub mod kernel;
pub mod labels;
pub mod latency;
pub mod load;
pub mod netlink;
pub mod nfct;
pub mod observe;
pub mod outside;
mod plural;
pub mod probe;
pub mod provenance;
pub mod render;
pub mod rules;
pub mod schema;
#[cfg(test)]
mod seeds;
pub mod sysctls;
pub mod timeouts;
pub mod trace;
mod waiting;
pub mod what_if;
pub mod why;

/// The kernel's numbers and their names.
pub use rsct_common::names;
