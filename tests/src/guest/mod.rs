//! Scenarios that need a machine of their own: a guest booted for them.

mod all_namespaces;
mod causes_are_told_in_the_trace;
mod closed_pipe_ends_the_trace;
mod conntrack_has_btf;
mod copied_policy_governs_udp;
mod count_and_stats_agree;
mod count_ends_the_trace;
mod cpu;
mod created_by_hand;
mod delete_at_once_is_the_same;
mod deleted_by_conntrack_names_the_task;
mod dnat_shows_both_tuples;
mod doctor_says_what_works;
mod documented_commands_run;
mod duration_ends_the_trace;
mod dying_and_unconfirmed_are_listed;
mod entry_expires;
mod every_program_is_cheap_to_verify;
mod expiring_says_what_goes;
mod filters_run_in_kernel;
mod ftp_makes_expectations;
mod functions_are_named_without_addresses;
mod get_finds_by_tuple;
mod hardened_kernel_is_named;
mod hook_that_cannot_attach;
mod invalid_is_named;
mod ipv6_and_other_protocols;
mod joined_table_agrees;
mod kernel_is_read;
mod kill_9_leaves_nothing_attached;
mod kprobe_form_tells_the_same_story;
mod latency_of_nat;
mod library_example_runs;
mod list_filters_agree;
mod list_outputs_agree;
mod metrics_name_who_fills;
mod namespace_goes_away_while_traced;
mod namespace_out_of_reach;
mod nfct_agrees;
mod no_conntrack_says_so;
mod not_root_says_so;
mod offloaded_flows_bypass_conntrack;
mod old_command_line_agrees;
mod ordinary_user_traces;
mod overload_is_accounted_for;
mod ping_is_seen;
mod policies_are_kept;
mod policy_governs_udp;
mod privileges_are_dropped;
mod q01_why_insert_failed_grows;
mod q02_which_packet_is_invalid_and_why;
mod q03_who_deleted_my_entry;
mod q04_how_late_gc_reaps;
mod q05_what_a_packet_costs;
mod q06_contention_at_confirm;
mod q07_how_a_clash_ended;
mod q08_who_set_this_timeout;
mod q09_how_long_nat_searched;
mod q10_who_fills_the_table;
mod q11_which_events_netlink_lost;
mod q12_which_namespace_and_zone_owns_it;
mod q13_why_it_stays_unreplied;
mod q14_out_of_window_by_how_much;
mod q15_where_a_syn_ended;
mod recorder_ends_with_a_valid_file;
mod recorder_survives_faults;
mod recording_replays_as_live;
mod reused_address_is_another_flow;
mod ring_overrun_is_counted_and_reconciled;
mod softirq_inside_a_pass;
mod stopping_waits_for_nothing;
mod sysctls_are_explained;
mod table_full_says_alloc_failed;
mod table_is_changed;
mod task_is_named;
mod tcp_from_syn_to_time_wait;
mod tcp_timeouts_are_shortened;
mod timeout_history_is_told;
mod timeouts_are_shown_and_set;
mod timeouts_have_a_source;
mod top_shows_who_sends;
mod udp_gets_assured;
mod watch_sees_traffic;
mod what_if_is_what_happens;
mod wrong_options_say_so;
mod zone_of_one_direction;

use anyhow::Result;

use crate::registry::{
    Runs::{EachForm, Ends, EndsEachForm, Newest, Once},
    Scenario,
};

/// The environment variable with the form in which rsct attaches.
pub const ATTACH: &str = "RSCT_TESTS_ATTACH";

// Reasons to run a scenario once on each kernel.
const DEFAULT: &str = "attaches in rsct's default form";
const LIBRARY: &str = "the library has rsct's programs, which other scenarios run everywhere";
const KERNEL: &str = "reads the kernel's types, symbols and settings, attaches nothing";
const NETLINK: &str = "uses netlink, attaches nothing";
const NO_CONNTRACK: &str = "conntrack is not loaded, so nothing can attach";
const OWN: &str = "attaches in both forms itself";
const REFUSED: &str = "rsct refuses before it attaches";
const PAGES: &str = "compares the pages with the output of rsct, which differs little between kernels";
const SYSCTL: &str = "reads and writes sysctls, attaches nothing";

// Reasons to run a scenario on the oldest and on the newest kernel only.
const DROPPED: &str =
    "changes credentials, which all kernels do alike; the traces of all scenarios run without privileges";
const ENDINGS: &str = "rsct's own end, which no kernel changes; other scenarios start and stop on each";
const FILES: &str = "writes files; the records in them are compared on each kernel";
const HISTORY: &str = "prints what timeouts_have_a_source reads on each kernel";
const IN_EBPF: &str =
    "one filter's instructions for all kernels; the fields that it reads are tested on each";
const LOSSES: &str = "more of the losses that ring_overrun_is_counted_and_reconciled tests on each kernel";
const MESSAGES: &str = "builds and prints netlink messages, which change only by additions; the native tests send them to this machine's kernel";
const PLACES: &str = "joins answers that zone_of_one_direction and all_namespaces test on each kernel";
const REPLAYED: &str = "joins packets in user space; recording_replays_as_live asks the same on each kernel";
const SCREEN: &str = "draws records, which other scenarios compare on each kernel";
const SIMULATED: &str =
    "simulates in user space; recording_replays_as_live compares its input on each kernel";
const SUMS: &str = "adds up a dump in user space; dumps are compared on each kernel";

/// Scenarios of what two processors do to each other.
const ON_ALL_CPUS: &[&str] = &[
    "joined_table_agrees",
    "overload_is_accounted_for",
    "q06_contention_at_confirm",
    "ring_overrun_is_counted_and_reconciled",
    "softirq_inside_a_pass",
];

/// Runs a scenario on all processors if it is about several of them, on one otherwise.
pub fn on_few_cpus(scenario: &Scenario) -> Result<()> {
    cpu::online(ON_ALL_CPUS.contains(&scenario.name))?;
    (scenario.run)()
}

/// Each scenario is a file of its name, followed by the forms in which it runs.
macro_rules! scenarios {
    ($($name:ident: $runs:expr),* $(,)?) => {
        &[$(Scenario {
            name: stringify!($name),
            runs: $runs,
            skips: &[],
            run: $name::run,
        }),*]
    };
}

/// All guest scenarios.
pub const SCENARIOS: &[Scenario] = scenarios![
    // Before anything has loaded conntrack.
    no_conntrack_says_so: Once(NO_CONNTRACK),
    // Before a rule has used a policy: some kernels then never release nfnetlink_cttimeout again.
    timeouts_are_shown_and_set: Once(NETLINK),
    conntrack_has_btf: Once(KERNEL),
    kernel_is_read: Once(KERNEL),
    udp_gets_assured: EachForm,
    policy_governs_udp: EachForm,
    copied_policy_governs_udp: Once(NETLINK),
    tcp_from_syn_to_time_wait: EachForm,
    ping_is_seen: EachForm,
    dnat_shows_both_tuples: EachForm,
    invalid_is_named: EachForm,
    entry_expires: EachForm,
    deleted_by_conntrack_names_the_task: EachForm,
    causes_are_told_in_the_trace: EachForm,
    created_by_hand: EachForm,
    count_and_stats_agree: Once(NETLINK),
    list_outputs_agree: Ends(MESSAGES),
    old_command_line_agrees: Ends(MESSAGES),
    nfct_agrees: Ends(MESSAGES),
    table_full_says_alloc_failed: EachForm,
    ipv6_and_other_protocols: EachForm,
    filters_run_in_kernel: EndsEachForm(IN_EBPF),
    recording_replays_as_live: EachForm,
    recorder_ends_with_a_valid_file: Ends(FILES),
    recorder_survives_faults: Ends(FILES),
    joined_table_agrees: EachForm,
    all_namespaces: EachForm,
    namespace_out_of_reach: Once(DEFAULT),
    zone_of_one_direction: EachForm,
    offloaded_flows_bypass_conntrack: Once(DEFAULT),
    task_is_named: EachForm,
    closed_pipe_ends_the_trace: Ends(ENDINGS),
    count_ends_the_trace: EndsEachForm(ENDINGS),
    doctor_says_what_works: Once(OWN),
    duration_ends_the_trace: EndsEachForm(ENDINGS),
    hook_that_cannot_attach: Once(OWN),
    kill_9_leaves_nothing_attached: EachForm,
    every_program_is_cheap_to_verify: EachForm,
    stopping_waits_for_nothing: EachForm,
    kprobe_form_tells_the_same_story: Once(OWN),
    namespace_goes_away_while_traced: EachForm,
    not_root_says_so: Once(REFUSED),
    privileges_are_dropped: Ends(DROPPED),
    ordinary_user_traces: Once(OWN),
    reused_address_is_another_flow: EachForm,
    ring_overrun_is_counted_and_reconciled: EachForm,
    overload_is_accounted_for: EndsEachForm(LOSSES),
    softirq_inside_a_pass: EachForm,
    wrong_options_say_so: Once(REFUSED),
    get_finds_by_tuple: Ends(MESSAGES),
    table_is_changed: Ends(MESSAGES),
    ftp_makes_expectations: Ends(MESSAGES),
    watch_sees_traffic: Ends(MESSAGES),
    dying_and_unconfirmed_are_listed: Once(NETLINK),
    list_filters_agree: Ends(MESSAGES),
    delete_at_once_is_the_same: Ends(MESSAGES),
    policies_are_kept: Ends(MESSAGES),
    sysctls_are_explained: Once(SYSCTL),
    expiring_says_what_goes: Ends(SUMS),
    timeouts_have_a_source: EachForm,
    timeout_history_is_told: EndsEachForm(HISTORY),
    what_if_is_what_happens: EndsEachForm(SIMULATED),
    tcp_timeouts_are_shortened: EachForm,
    q01_why_insert_failed_grows: EachForm,
    q02_which_packet_is_invalid_and_why: EachForm,
    q03_who_deleted_my_entry: EachForm,
    functions_are_named_without_addresses: EachForm,
    q07_how_a_clash_ended: EachForm,
    q08_who_set_this_timeout: EachForm,
    latency_of_nat: EachForm,
    q09_how_long_nat_searched: EachForm,
    q10_who_fills_the_table: EachForm,
    q11_which_events_netlink_lost: EachForm,
    q12_which_namespace_and_zone_owns_it: EndsEachForm(PLACES),
    q13_why_it_stays_unreplied: EndsEachForm(REPLAYED),
    q14_out_of_window_by_how_much: EachForm,
    q15_where_a_syn_ended: EachForm,
    q04_how_late_gc_reaps: EachForm,
    q05_what_a_packet_costs: EachForm,
    q06_contention_at_confirm: EachForm,
    top_shows_who_sends: Ends(SCREEN),
    metrics_name_who_fills: Ends(SCREEN),
    library_example_runs: Ends(LIBRARY),
    documented_commands_run: Newest(PAGES),
    hardened_kernel_is_named: Once(OWN),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_on_all_processors_exist() {
        for name in ON_ALL_CPUS {
            assert!(SCENARIOS.iter().any(|scenario| scenario.name == *name), "{name}");
        }
    }
}
