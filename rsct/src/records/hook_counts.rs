//! Attached hooks by form.

use serde::{Deserialize, Serialize};

/// The number of hooks attached in each form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HookCounts {
    /// By fentry and fexit.
    pub fentry: usize,
    /// By kprobe and kretprobe.
    pub kprobe: usize,
    /// By a tracepoint.
    pub tracepoint: usize,
    /// Not at all.
    pub not: usize,
}
