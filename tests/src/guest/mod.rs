//! Scenarios that own the machine they run on: a guest booted for them.

mod conntrack_has_btf;

use crate::registry::Scenario;

/// The environment variable that tells scenarios how rsct is to attach.
pub const ATTACH: &str = "RSCT_TESTS_ATTACH";

/// All of them.
pub const SCENARIOS: &[Scenario] = &[Scenario {
    name: "conntrack_has_btf",
    run: conntrack_has_btf::run,
}];
