//! Scenarios for any machine where root can make a network namespace.

mod completions_and_manual;
pub mod conntrack_personality;
pub mod count_and_stats_as_conntrack;
pub mod create_as_conntrack;
pub mod delete_at_once;
pub mod delete_update_flush;
pub mod dying_are_listed;
pub mod expect_as_conntrack;
mod expect_says_what_is_wrong;
pub mod expect_watch;
pub mod expiring;
pub mod get_equals_conntrack;
mod grid;
mod list_all_namespaces;
mod list_equals_conntrack;
pub mod list_filters_as_conntrack;
mod list_into_closed_pipe;
mod list_json_agrees;
mod list_of_a_large_table;
pub mod list_outputs_as_conntrack;
mod list_says_what_is_wrong;
mod load_says_what_is_wrong;
pub mod namespace;
mod new_netns_is_empty;
pub mod nfct_personality;
pub mod policies;
pub mod save_and_load;
pub mod sysctls;
pub mod table;
pub mod timeout_rules;
pub mod timeouts;
mod watch_survives_a_loss;
mod watch_tells_of_events;

use crate::registry::Scenario;

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "completions_and_manual",
        run: completions_and_manual::run,
    },
    Scenario {
        name: "conntrack_personality_changes",
        run: conntrack_personality::changes,
    },
    Scenario {
        name: "conntrack_personality_deviations",
        run: conntrack_personality::deviations,
    },
    Scenario {
        name: "conntrack_personality_events",
        run: conntrack_personality::events,
    },
    Scenario {
        name: "conntrack_personality_load",
        run: conntrack_personality::load,
    },
    Scenario {
        name: "conntrack_personality_reads",
        run: conntrack_personality::reads,
    },
    Scenario {
        name: "conntrack_personality_wrong",
        run: conntrack_personality::wrong,
    },
    Scenario {
        name: "count_and_stats_as_conntrack",
        run: count_and_stats_as_conntrack::run,
    },
    Scenario {
        name: "create_as_conntrack",
        run: create_as_conntrack::run,
    },
    Scenario {
        name: "delete_at_once",
        run: delete_at_once::run,
    },
    Scenario {
        name: "delete_update_flush",
        run: delete_update_flush::run,
    },
    Scenario {
        name: "expect_as_conntrack",
        run: expect_as_conntrack::run,
    },
    Scenario {
        name: "expect_says_what_is_wrong",
        run: expect_says_what_is_wrong::run,
    },
    Scenario {
        name: "expect_watch",
        run: expect_watch::run,
    },
    Scenario {
        name: "expiring_says_what_goes",
        run: expiring::run,
    },
    Scenario {
        name: "dying_are_listed",
        run: dying_are_listed::run,
    },
    Scenario {
        name: "get_equals_conntrack",
        run: get_equals_conntrack::run,
    },
    Scenario {
        name: "list_all_namespaces",
        run: list_all_namespaces::run,
    },
    Scenario {
        name: "list_equals_conntrack",
        run: list_equals_conntrack::run,
    },
    Scenario {
        name: "list_filters_as_conntrack",
        run: list_filters_as_conntrack::run,
    },
    Scenario {
        name: "list_into_closed_pipe",
        run: list_into_closed_pipe::run,
    },
    Scenario {
        name: "list_json_agrees",
        run: list_json_agrees::run,
    },
    Scenario {
        name: "list_of_a_large_table",
        run: list_of_a_large_table::run,
    },
    Scenario {
        name: "list_outputs_as_conntrack",
        run: list_outputs_as_conntrack::run,
    },
    Scenario {
        name: "list_says_what_is_wrong",
        run: list_says_what_is_wrong::run,
    },
    Scenario {
        name: "load_says_what_is_wrong",
        run: load_says_what_is_wrong::run,
    },
    Scenario {
        name: "new_netns_is_empty",
        run: new_netns_is_empty::run,
    },
    Scenario {
        name: "nfct_personality_helpers",
        run: nfct_personality::helpers,
    },
    Scenario {
        name: "nfct_personality_surroundings",
        run: nfct_personality::surroundings,
    },
    Scenario {
        name: "nfct_personality_timeouts",
        run: nfct_personality::timeouts,
    },
    Scenario {
        name: "nfct_personality_words",
        run: nfct_personality::words,
    },
    Scenario {
        name: "policies_are_kept",
        run: policies::run,
    },
    Scenario {
        name: "save_and_load",
        run: save_and_load::run,
    },
    Scenario {
        name: "timeout_rules_with_iptables",
        run: timeout_rules::iptables,
    },
    Scenario {
        name: "timeout_rules_with_legacy",
        run: timeout_rules::legacy,
    },
    Scenario {
        name: "timeout_rules_with_nft",
        run: timeout_rules::nft,
    },
    Scenario {
        name: "sysctls_are_explained",
        run: sysctls::run,
    },
    Scenario {
        name: "timeouts_are_shown_and_set",
        run: timeouts::run,
    },
    Scenario {
        name: "watch_survives_a_loss",
        run: watch_survives_a_loss::run,
    },
    Scenario {
        name: "watch_tells_of_events",
        run: watch_tells_of_events::run,
    },
];
