//! Scenarios that own the machine they run on: a guest booted for them.

mod all_namespaces;
mod causes_are_told_in_the_trace;
mod closed_pipe_ends_the_trace;
mod conntrack_has_btf;
mod count_and_stats_agree;
mod count_ends_the_trace;
mod cpu;
mod created_by_hand;
mod delete_at_once_is_the_same;
mod deleted_by_conntrack_names_the_task;
mod dnat_shows_both_tuples;
mod doctor_says_what_works;
mod duration_ends_the_trace;
mod dying_and_unconfirmed_are_listed;
mod entry_expires;
mod every_program_is_cheap_to_verify;
mod expiring_says_what_goes;
mod filters_run_in_kernel;
mod ftp_makes_expectations;
mod get_finds_by_tuple;
mod hook_that_cannot_attach;
mod invalid_is_named;
mod ipv6_and_other_protocols;
mod joined_table_agrees;
mod kill_9_leaves_nothing_attached;
mod kprobe_form_tells_the_same_story;
mod latency_of_nat;
mod list_filters_agree;
mod list_outputs_agree;
mod namespace_goes_away_while_traced;
mod nfct_agrees;
mod no_conntrack_says_so;
mod not_root_says_so;
mod old_command_line_agrees;
mod ping_is_seen;
mod policies_are_kept;
mod policy_governs_udp;
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
mod reused_address_is_another_flow;
mod ring_overrun_is_counted_and_reconciled;
mod softirq_inside_a_pass;
mod sysctls_are_explained;
mod table_full_says_alloc_failed;
mod table_is_changed;
mod task_is_named;
mod tcp_from_syn_to_time_wait;
mod tcp_timeouts_are_shortened;
mod timeout_history_is_told;
mod timeouts_are_shown_and_set;
mod timeouts_have_a_source;
mod udp_gets_assured;
mod watch_sees_traffic;
mod what_if_is_what_happens;
mod wrong_options_say_so;

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
    // Before anything has conntrack loaded.
    no_conntrack_says_so,
    // Before a rule has used a policy: some kernels then never let go of nfnetlink_cttimeout again.
    timeouts_are_shown_and_set,
    conntrack_has_btf,
    udp_gets_assured,
    policy_governs_udp,
    tcp_from_syn_to_time_wait,
    ping_is_seen,
    dnat_shows_both_tuples,
    invalid_is_named,
    entry_expires,
    deleted_by_conntrack_names_the_task,
    causes_are_told_in_the_trace,
    created_by_hand,
    count_and_stats_agree,
    list_outputs_agree,
    old_command_line_agrees,
    nfct_agrees,
    table_full_says_alloc_failed,
    ipv6_and_other_protocols,
    filters_run_in_kernel,
    joined_table_agrees,
    all_namespaces,
    task_is_named,
    closed_pipe_ends_the_trace,
    count_ends_the_trace,
    doctor_says_what_works,
    duration_ends_the_trace,
    hook_that_cannot_attach,
    kill_9_leaves_nothing_attached,
    every_program_is_cheap_to_verify,
    kprobe_form_tells_the_same_story,
    namespace_goes_away_while_traced,
    not_root_says_so,
    reused_address_is_another_flow,
    ring_overrun_is_counted_and_reconciled,
    softirq_inside_a_pass,
    wrong_options_say_so,
    get_finds_by_tuple,
    table_is_changed,
    ftp_makes_expectations,
    watch_sees_traffic,
    dying_and_unconfirmed_are_listed,
    list_filters_agree,
    delete_at_once_is_the_same,
    policies_are_kept,
    sysctls_are_explained,
    expiring_says_what_goes,
    timeouts_have_a_source,
    timeout_history_is_told,
    what_if_is_what_happens,
    tcp_timeouts_are_shortened,
    q01_why_insert_failed_grows,
    q02_which_packet_is_invalid_and_why,
    q03_who_deleted_my_entry,
    q07_how_a_clash_ended,
    q08_who_set_this_timeout,
    latency_of_nat,
    q09_how_long_nat_searched,
    q10_who_fills_the_table,
    q11_which_events_netlink_lost,
    q12_which_namespace_and_zone_owns_it,
    q13_why_it_stays_unreplied,
    q14_out_of_window_by_how_much,
    q15_where_a_syn_ended,
    q04_how_late_gc_reaps,
    q05_what_a_packet_costs,
    q06_contention_at_confirm,
];
