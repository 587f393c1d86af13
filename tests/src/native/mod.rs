//! Scenarios for any machine where root can make a network namespace.

mod new_netns_is_empty;

use crate::registry::Scenario;

/// All of them.
pub const SCENARIOS: &[Scenario] = &[Scenario {
    name: "new_netns_is_empty",
    run: new_netns_is_empty::run,
}];
