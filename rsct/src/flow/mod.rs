//! The model: flows joined from records and dumps. Depends on neither aya nor netlink.

pub mod cause;
pub mod icmp;
pub mod names;
pub mod observation;
pub mod outcome;
pub mod reconcile;
mod store;
pub mod table;
mod ticks;
pub mod tuples;

pub use store::{Flow, FlowKey, PolicyOf, TupleKey};
pub use table::Table;
