//! The running kernel as a source: the session of eBPF programs, and the ctnetlink dumps next to it.
//!
//! [`Live::start`] attaches, and [`Live::run`] is the loop: the only place with signals, timers and a clock. [`Latency`] measures
//! durations, alone or next to a trace.

mod authority;
mod cause_reader;
mod causes;
mod counting;
mod facts;
mod hooks;
mod latency;
mod losses;
mod run;
mod silence;
mod start;

pub(crate) use cause_reader::CauseReader;
pub(crate) use counting::Reading;
pub(crate) use hooks::report_hooks;
pub(crate) use latency::{Latency, LatencyOptions};
pub(crate) use run::{Limits, RunError};
pub(crate) use start::{Live, LiveOptions, StartError};
