//! The hooks of the programs of causes, by family.

use rsct_common::record::CauseFamily::{self, Delete, Drop, Full, Insert, Invalid, Lost, Nat};

use super::hooks::{Hook, Stage, entry, exit, tracepoint};

/// A hook, and the families of causes that need it.
struct Needed {
    by: &'static [CauseFamily],
    hook: Hook,
}

const fn hook(function: &'static str, shows: &'static str) -> Hook {
    Hook {
        function,
        shows,
        essential: false,
        stage: Stage::First,
        trampoline: &[],
        kprobe: &[],
    }
}

/// All of them, in the order of attachment: a hook that others depend on is before them.
static HOOKS: &[Needed] = &[
    Needed {
        by: &[Delete, Full],
        hook: Hook {
            trampoline: &[entry("why_delete_fentry")],
            kprobe: &[entry("why_delete_kprobe")],
            ..hook("nf_ct_delete", "deletions, and their callers")
        },
    },
    Needed {
        by: &[Full],
        hook: Hook {
            trampoline: &[exit("early_drop_fexit")],
            kprobe: &[exit("early_drop_kretprobe")],
            ..hook("early_drop", "failed allocations because of a full table")
        },
    },
    Needed {
        by: &[Full],
        hook: Hook {
            trampoline: &[exit("why_alloc_fexit")],
            kprobe: &[entry("why_alloc_kprobe"), exit("why_alloc_kretprobe")],
            ..hook("__nf_conntrack_alloc", "failed allocations of entries")
        },
    },
    Needed {
        by: &[Invalid],
        hook: Hook {
            kprobe: &[entry("ct_log_invalid_kprobe")],
            ..hook(
                "nf_ct_l4proto_log_invalid",
                "the trackers' reasons for INVALID packets with an entry",
            )
        },
    },
    Needed {
        by: &[Invalid],
        hook: Hook {
            kprobe: &[entry("log_invalid_kprobe")],
            ..hook(
                "nf_l4proto_log_invalid",
                "the trackers' reasons for INVALID packets without an entry",
            )
        },
    },
    Needed {
        by: &[Invalid],
        hook: Hook {
            essential: true,
            trampoline: &[exit("why_in_fexit")],
            kprobe: &[entry("why_in_kprobe"), exit("why_in_kretprobe")],
            ..hook("nf_conntrack_in", "INVALID packets")
        },
    },
    Needed {
        by: &[Insert],
        hook: Hook {
            trampoline: &[entry("clash_tried_fentry")],
            kprobe: &[entry("clash_tried_kprobe")],
            ..hook("__nf_ct_resolve_clash", "whether a protocol allows clashes")
        },
    },
    Needed {
        by: &[Insert],
        hook: Hook {
            trampoline: &[entry("clash_fentry"), exit("clash_fexit")],
            kprobe: &[entry("clash_kprobe"), exit("clash_kretprobe")],
            ..hook("nf_ct_resolve_clash", "clashes and their results")
        },
    },
    Needed {
        by: &[Insert],
        hook: Hook {
            trampoline: &[exit("why_confirm_fexit")],
            kprobe: &[entry("why_confirm_kprobe"), exit("why_confirm_kretprobe")],
            ..hook("__nf_conntrack_confirm", "failed inserts")
        },
    },
    Needed {
        by: &[Insert],
        hook: Hook {
            trampoline: &[exit("why_insert_fexit")],
            kprobe: &[entry("why_insert_kprobe"), exit("why_insert_kretprobe")],
            ..hook(
                "nf_conntrack_hash_check_insert",
                "failed inserts that programs requested",
            )
        },
    },
    Needed {
        by: &[Insert],
        hook: Hook {
            trampoline: &[exit("new_conntrack_fexit")],
            kprobe: &[entry("new_conntrack_kprobe"), exit("new_conntrack_kretprobe")],
            ..hook(
                "ctnetlink_new_conntrack",
                "requests of programs for existing entries",
            )
        },
    },
    Needed {
        by: &[Nat],
        hook: Hook {
            trampoline: &[exit("tuple_taken_fexit")],
            kprobe: &[exit("tuple_taken_kretprobe")],
            ..hook("nf_conntrack_tuple_taken", "tuples that NAT tries")
        },
    },
    Needed {
        by: &[Nat],
        hook: Hook {
            trampoline: &[exit("nat_find_fexit")],
            kprobe: &[exit("nat_find_kretprobe")],
            ..hook("nf_conntrack_find_get", "the last tuples that NAT tries for TCP")
        },
    },
    Needed {
        by: &[Nat],
        hook: Hook {
            trampoline: &[exit("nat_delete_fexit")],
            kprobe: &[exit("nat_delete_kretprobe")],
            ..hook("nf_ct_delete", "connections that NAT evicts for their tuple")
        },
    },
    Needed {
        by: &[Nat],
        hook: Hook {
            essential: true,
            trampoline: &[entry("nat_fentry"), exit("nat_fexit")],
            kprobe: &[entry("nat_kprobe"), exit("nat_kretprobe")],
            ..hook("nf_nat_setup_info", "NAT's searches")
        },
    },
    Needed {
        by: &[Lost],
        hook: Hook {
            essential: true,
            trampoline: &[entry("overrun_fentry")],
            kprobe: &[entry("overrun_kprobe")],
            ..hook(
                "netlink_overrun",
                "events lost because a listener's buffer is full",
            )
        },
    },
    Needed {
        by: &[Lost],
        hook: Hook {
            trampoline: &[entry("set_err_fentry")],
            kprobe: &[entry("set_err_kprobe")],
            ..hook("netlink_set_err", "events lost because memory is short")
        },
    },
    Needed {
        by: &[Lost],
        hook: Hook {
            essential: true,
            trampoline: &[entry("event_fentry"), exit("event_fexit")],
            kprobe: &[entry("event_kprobe"), exit("event_kretprobe")],
            ..hook("ctnetlink_conntrack_event", "events")
        },
    },
    Needed {
        by: &[Drop],
        hook: Hook {
            trampoline: &[exit("drop_clash_fexit")],
            kprobe: &[entry("drop_clash_kprobe"), exit("drop_clash_kretprobe")],
            ..hook("nf_ct_resolve_clash", "drops because of a clash")
        },
    },
    Needed {
        by: &[Drop],
        hook: Hook {
            trampoline: &[exit("drop_confirm_fexit")],
            kprobe: &[entry("drop_confirm_kprobe"), exit("drop_confirm_kretprobe")],
            ..hook("__nf_conntrack_confirm", "drops at confirm")
        },
    },
    Needed {
        by: &[Drop],
        hook: Hook {
            trampoline: &[exit("drop_in_fexit")],
            kprobe: &[entry("drop_in_kprobe"), exit("drop_in_kretprobe")],
            ..hook("nf_conntrack_in", "drops without an entry")
        },
    },
    Needed {
        by: &[Drop],
        hook: Hook {
            trampoline: &[],
            kprobe: &[tracepoint("kfree_skb_tracepoint")],
            ..hook("kfree_skb", "the kernel's drop reasons")
        },
    },
    Needed {
        by: &[Drop],
        hook: Hook {
            essential: true,
            trampoline: &[entry("why_destroy_fentry")],
            kprobe: &[entry("why_destroy_kprobe")],
            ..hook("nf_ct_destroy", "destroyed entries that were never in the table")
        },
    },
];

/// The hooks for a trace: all except those that look at every packet, which the trace does itself.
pub(crate) fn for_trace() -> Vec<&'static Hook> {
    let all = HOOKS.iter().map(|needed| &needed.hook);
    all.filter(|hook| hook.function != "nf_conntrack_in").collect()
}

/// The hooks of `families`.
pub(crate) fn of(families: &[CauseFamily]) -> Vec<&'static Hook> {
    HOOKS
        .iter()
        .filter(|needed| needed.by.iter().any(|by| families.contains(by)))
        .map(|needed| &needed.hook)
        .collect()
}
