//! The metrics of `rsct metrics`: the kernel's counters and a [`Snapshot`](crate::snapshot::Snapshot) as the text that Prometheus
//! reads. No I/O; it counts nothing that the kernel or the snapshot has not counted.

mod bound;
mod compat;
#[cfg(test)]
mod docs;
mod draw;
mod exposition;
mod families;
mod family;
mod http;
mod kernel;
mod namespaces;
mod process;
mod sources;
mod traffic;

pub(crate) use bound::{Shape, series_limit};
pub(crate) use draw::{Now, Own, TraceNow, draw};
pub(crate) use exposition::Format;
pub(crate) use http::{HEAD_BYTES, Head, Method, head};
pub(crate) use kernel::{KernelCounts, NamespaceReading};
pub(crate) use namespaces::{Label, Namespaces};
pub(crate) use process::Process;
pub(crate) use traffic::Traffic;
