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
mod few_descriptors;
pub mod get_equals_conntrack;
mod grid;
mod hosts_answer;
mod interrupted;
mod list_all_namespaces;
mod list_equals_conntrack;
pub mod list_filters_as_conntrack;
mod list_into_closed_pipe;
mod list_json_agrees;
mod list_of_a_large_table;
pub mod list_outputs_as_conntrack;
mod list_says_what_is_wrong;
mod load_says_what_is_wrong;
mod many_namespaces;
mod metrics_answer_scrapes;
mod metrics_of_many_namespaces;
mod names_are_escaped;
pub mod namespace;
mod namespaces_in_reach;
mod new_netns_is_empty;
pub mod nfct_personality;
pub mod policies;
pub mod save_and_load;
mod singular;
mod standard_streams;
pub mod sysctls;
pub mod table;
pub mod timeout_rules;
pub mod timeouts;
mod units_are_hardened;
mod watch_drops_privileges;
mod watch_survives_a_loss;
mod watch_tells_of_events;
mod watch_without_events;
mod without_proc;

use anyhow::Result;

use crate::registry::{MaySkip, Runs, Scenario};

/// Any kernel: this machine's own, which the tests do not choose.
const FTP: &[MaySkip] = &[MaySkip {
    kernel: "",
    reason: "a machine's kernel may lack the FTP helper; guests' kernels have it",
}];
const SYSTEMD: &[MaySkip] = &[MaySkip {
    kernel: "",
    reason: "a machine may lack systemd-analyze, which judges the units",
}];
const SMALL: &[MaySkip] = &[MaySkip {
    kernel: "",
    reason: "tables of a machine with little memory are too small",
}];

const fn scenario(name: &'static str, run: fn() -> Result<()>, skips: &'static [MaySkip]) -> Scenario {
    Scenario {
        name,
        runs: Runs::Once("attaches nothing"),
        skips,
        run,
    }
}

/// All native scenarios.
pub const SCENARIOS: &[Scenario] = &[
    scenario("completions_and_manual", completions_and_manual::run, &[]),
    scenario(
        "conntrack_personality_changes",
        conntrack_personality::changes,
        &[],
    ),
    scenario(
        "conntrack_personality_deviations",
        conntrack_personality::deviations,
        &[],
    ),
    scenario("conntrack_personality_events", conntrack_personality::events, &[]),
    scenario("conntrack_personality_load", conntrack_personality::load, &[]),
    scenario("conntrack_personality_reads", conntrack_personality::reads, &[]),
    scenario(
        "conntrack_personality_surroundings",
        conntrack_personality::surroundings,
        &[],
    ),
    scenario(
        "conntrack_personality_time_zones",
        conntrack_personality::time_zones,
        &[],
    ),
    scenario("conntrack_personality_wrong", conntrack_personality::wrong, &[]),
    scenario(
        "count_and_stats_as_conntrack",
        count_and_stats_as_conntrack::run,
        &[],
    ),
    scenario("create_as_conntrack", create_as_conntrack::run, &[]),
    scenario("delete_at_once", delete_at_once::run, &[]),
    scenario("delete_update_flush", delete_update_flush::run, &[]),
    scenario("expect_as_conntrack", expect_as_conntrack::run, FTP),
    scenario("expect_says_what_is_wrong", expect_says_what_is_wrong::run, FTP),
    scenario("expect_watch", expect_watch::run, FTP),
    scenario("expiring_says_what_goes", expiring::run, &[]),
    scenario("expiring_of_a_large_table", expiring::large, SMALL),
    scenario("dying_are_listed", dying_are_listed::run, &[]),
    scenario("few_descriptors", few_descriptors::run, &[]),
    scenario("get_equals_conntrack", get_equals_conntrack::run, &[]),
    scenario("hosts_answer_for_themselves", hosts_answer::run, &[]),
    scenario("interrupted", interrupted::run, &[]),
    scenario("list_all_namespaces", list_all_namespaces::run, &[]),
    scenario("list_equals_conntrack", list_equals_conntrack::run, &[]),
    scenario("list_filters_as_conntrack", list_filters_as_conntrack::run, &[]),
    scenario("list_into_closed_pipe", list_into_closed_pipe::run, &[]),
    scenario("list_json_agrees", list_json_agrees::run, &[]),
    scenario("list_of_a_large_table", list_of_a_large_table::run, SMALL),
    scenario("list_outputs_as_conntrack", list_outputs_as_conntrack::run, &[]),
    scenario("list_says_what_is_wrong", list_says_what_is_wrong::run, &[]),
    scenario("load_says_what_is_wrong", load_says_what_is_wrong::run, &[]),
    scenario("many_namespaces", many_namespaces::run, &[]),
    scenario("metrics_answer_scrapes", metrics_answer_scrapes::run, &[]),
    scenario("metrics_of_many_namespaces", metrics_of_many_namespaces::run, &[]),
    scenario("names_are_escaped", names_are_escaped::run, &[]),
    scenario("namespaces_in_reach", namespaces_in_reach::run, &[]),
    scenario("new_netns_is_empty", new_netns_is_empty::run, &[]),
    scenario("nfct_personality_helpers", nfct_personality::helpers, &[]),
    scenario(
        "nfct_personality_surroundings",
        nfct_personality::surroundings,
        &[],
    ),
    scenario("nfct_personality_timeouts", nfct_personality::timeouts, &[]),
    scenario("nfct_personality_words", nfct_personality::words, &[]),
    scenario("policies_are_kept", policies::run, &[]),
    scenario("save_and_load", save_and_load::run, &[]),
    scenario("singular", singular::run, &[]),
    scenario("standard_streams", standard_streams::run, &[]),
    scenario("timeout_rules_with_iptables", timeout_rules::iptables, &[]),
    scenario("timeout_rules_with_legacy", timeout_rules::legacy, &[]),
    scenario("timeout_rules_with_nft", timeout_rules::nft, &[]),
    scenario("sysctls_are_explained", sysctls::run, &[]),
    scenario("timeouts_are_shown_and_set", timeouts::run, &[]),
    scenario("units_are_hardened", units_are_hardened::run, SYSTEMD),
    scenario("watch_drops_privileges", watch_drops_privileges::run, &[]),
    scenario("watch_survives_a_loss", watch_survives_a_loss::run, &[]),
    scenario("watch_tells_of_events", watch_tells_of_events::run, &[]),
    scenario("watch_without_events", watch_without_events::run, &[]),
    scenario("without_proc", without_proc::run, &[]),
];
