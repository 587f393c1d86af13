//! Changes of the stream itself: it starts, it lost records, the kernel no longer runs the programs.

use serde::{Deserialize, Serialize};

use crate::records::{HookCounts, Lost};

use super::Unfired;

/// A change of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    /// All hooks are attached and the existing flows are known.
    Started {
        /// The time on the monotonic clock.
        time_ns: u64,
        /// The hooks, by how they are attached.
        hooks: HookCounts,
        /// The number of flows known from the first dump. The model fills it in.
        #[serde(default)]
        flows_from_dump: usize,
    },
    /// Causes are reported from now on.
    Causes {
        /// Their hooks, by how they are attached.
        hooks: HookCounts,
    },
    /// Causes will not be reported.
    NoCauses,
    /// Records were lost.
    Loss {
        /// The number since the last such notice.
        lost: u64,
        /// The number since the beginning.
        total: u64,
        /// The losses since the beginning, by CPU and kind.
        losses: Lost,
        /// The skipped program runs since the beginning, which `total` includes.
        skipped: u64,
    },
    /// Programs that report causes lost more, up to this total.
    CausesLost {
        /// The number since the beginning.
        total: u64,
    },
    /// The kernel stopped or resumed running the programs, or that could not be tested.
    Programs {
        /// The time on the monotonic clock.
        time_ns: u64,
        /// True if they run; none if the test failed.
        run: Option<bool>,
        /// The reason for doubt.
        reason: Option<String>,
    },
    /// A dump shows that hooks have not fired.
    Unfired {
        /// The time on the monotonic clock.
        time_ns: u64,
        /// The hooks.
        unfired: Unfired,
    },
}
