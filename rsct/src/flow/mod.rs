//! The model: flows as both sources know them, joined. Knows neither aya nor netlink.

pub mod cause;
pub mod icmp;
pub mod names;
pub mod observation;
pub mod reconcile;
pub mod table;
pub mod tuples;

pub use table::{Flow, FlowKey, Table};
