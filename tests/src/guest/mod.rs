//! Scenarios that own the machine they run on: a guest booted for them.

mod conntrack_has_btf;
mod invalid_is_named;
mod udp_gets_assured;

use crate::registry::Scenario;

/// The environment variable that tells scenarios how rsct is to attach.
pub const ATTACH: &str = "RSCT_TESTS_ATTACH";

/// Each scenario is a file of its name.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        &[$(Scenario {
            name: stringify!($name),
            run: $name::run,
        }),*]
    };
}

/// All of them.
pub const SCENARIOS: &[Scenario] = scenarios![conntrack_has_btf, invalid_is_named, udp_gets_assured];
