//! The model: flows joined from records and dumps. Depends on neither aya nor netlink.

pub mod delete_kind;
pub mod icmp;
pub mod outcome;
pub mod reconcile;
mod store;
mod table;
pub mod tuples;

pub use store::{Flow, FlowKey, PolicyOf, TupleKey};
pub use table::FlowTable;
