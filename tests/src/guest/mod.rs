//! Scenarios that own the machine they run on: a guest booted for them.

mod all_namespaces;
mod conntrack_has_btf;
mod created_by_hand;
mod deleted_by_conntrack_names_the_task;
mod dnat_shows_both_tuples;
mod entry_expires;
mod filters_run_in_kernel;
mod invalid_is_named;
mod ipv6_and_other_protocols;
mod joined_table_agrees;
mod ping_is_seen;
mod table_full_says_alloc_failed;
mod task_is_named;
mod tcp_from_syn_to_time_wait;
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
pub const SCENARIOS: &[Scenario] = scenarios![
    conntrack_has_btf,
    udp_gets_assured,
    tcp_from_syn_to_time_wait,
    ping_is_seen,
    dnat_shows_both_tuples,
    invalid_is_named,
    entry_expires,
    deleted_by_conntrack_names_the_task,
    created_by_hand,
    table_full_says_alloc_failed,
    ipv6_and_other_protocols,
    filters_run_in_kernel,
    joined_table_agrees,
    all_namespaces,
    task_is_named,
];
