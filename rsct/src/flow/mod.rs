//! The model: flows joined from records and dumps. Depends on neither aya nor netlink.

mod class;
pub(crate) mod delete_kind;
pub(crate) mod differences;
mod hook_point;
pub(crate) mod icmp;
pub(crate) mod operation;
pub(crate) mod outcome;
pub(crate) mod reconcile;
mod silent;
mod store;
mod table;
pub(crate) mod tuples;

pub(crate) use class::Class;
pub(crate) use hook_point::HookPoint;
pub(crate) use store::{Flow, FlowKey, PolicyOf, TupleKey};
pub(crate) use table::FlowTable;
