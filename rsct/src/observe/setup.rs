//! The start of a stream.

use serde::{Deserialize, Serialize};

use crate::kernel::hz::Hz;

/// The facts about its source that the model needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// Jiffies a second.
    pub hz: Hz,
    /// Earlier records are skipped: not all eBPF programs were attached yet.
    pub started_ns: u64,
    /// True if causes will be reported.
    pub with_causes: bool,
    /// The only namespace in scope, if there is one.
    pub only_netns: Option<u32>,
    /// True if all flows of the namespaces are in scope.
    pub is_unfiltered: bool,
}
