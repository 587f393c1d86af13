//! What the programs of causes attach to, by what is asked for.

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

/// All of them, in the order they are attached: what a later one leans on comes first.
static HOOKS: &[Needed] = &[
    Needed {
        by: &[Delete, Full],
        hook: Hook {
            trampoline: &[entry("why_delete_fentry")],
            kprobe: &[entry("why_delete_kprobe")],
            ..hook("nf_ct_delete", "deletes, and who called for them")
        },
    },
    Needed {
        by: &[Full],
        hook: Hook {
            trampoline: &[exit("early_drop_fexit")],
            kprobe: &[exit("early_drop_kretprobe")],
            ..hook("early_drop", "whether a full table is why no entry could be had")
        },
    },
    Needed {
        by: &[Full],
        hook: Hook {
            trampoline: &[exit("why_alloc_fexit")],
            kprobe: &[entry("why_alloc_kprobe"), exit("why_alloc_kretprobe")],
            ..hook("__nf_conntrack_alloc", "entries that could not be had")
        },
    },
    Needed {
        by: &[Invalid],
        hook: Hook {
            kprobe: &[entry("ct_log_invalid_kprobe")],
            ..hook(
                "nf_ct_l4proto_log_invalid",
                "what the trackers say of INVALID packets of known flows",
            )
        },
    },
    Needed {
        by: &[Invalid],
        hook: Hook {
            kprobe: &[entry("log_invalid_kprobe")],
            ..hook(
                "nf_l4proto_log_invalid",
                "what the trackers say of INVALID packets by themselves",
            )
        },
    },
    Needed {
        by: &[Invalid],
        hook: Hook {
            essential: true,
            trampoline: &[exit("why_in_fexit")],
            kprobe: &[entry("why_in_kprobe"), exit("why_in_kretprobe")],
            ..hook("nf_conntrack_in", "INVALID packets at all")
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
            ..hook("nf_ct_resolve_clash", "clashes, and how they ended")
        },
    },
    Needed {
        by: &[Insert],
        hook: Hook {
            trampoline: &[exit("why_confirm_fexit")],
            kprobe: &[entry("why_confirm_kprobe"), exit("why_confirm_kretprobe")],
            ..hook("__nf_conntrack_confirm", "entries that could not be inserted")
        },
    },
    Needed {
        by: &[Insert],
        hook: Hook {
            trampoline: &[exit("why_insert_fexit")],
            kprobe: &[entry("why_insert_kprobe"), exit("why_insert_kretprobe")],
            ..hook(
                "nf_conntrack_hash_check_insert",
                "programs' entries that could not be inserted",
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
                "entries that programs ask for and that are there already",
            )
        },
    },
    Needed {
        by: &[Nat],
        hook: Hook {
            trampoline: &[exit("tuple_taken_fexit")],
            kprobe: &[exit("tuple_taken_kretprobe")],
            ..hook("nf_conntrack_tuple_taken", "what NAT tries")
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
            ..hook("nf_ct_delete", "connections that NAT throws out for their tuple")
        },
    },
    Needed {
        by: &[Nat],
        hook: Hook {
            essential: true,
            trampoline: &[entry("nat_fentry"), exit("nat_fexit")],
            kprobe: &[entry("nat_kprobe"), exit("nat_kretprobe")],
            ..hook("nf_nat_setup_info", "what NAT does at all")
        },
    },
    Needed {
        by: &[Lost],
        hook: Hook {
            essential: true,
            trampoline: &[entry("overrun_fentry")],
            kprobe: &[entry("overrun_kprobe")],
            ..hook("netlink_overrun", "events that find no room with a listener")
        },
    },
    Needed {
        by: &[Lost],
        hook: Hook {
            trampoline: &[entry("set_err_fentry")],
            kprobe: &[entry("set_err_kprobe")],
            ..hook("netlink_set_err", "events that there is no memory for")
        },
    },
    Needed {
        by: &[Lost],
        hook: Hook {
            essential: true,
            trampoline: &[entry("event_fentry"), exit("event_fexit")],
            kprobe: &[entry("event_kprobe"), exit("event_kretprobe")],
            ..hook("ctnetlink_conntrack_event", "events at all")
        },
    },
    Needed {
        by: &[Drop],
        hook: Hook {
            trampoline: &[exit("drop_clash_fexit")],
            kprobe: &[entry("drop_clash_kprobe"), exit("drop_clash_kretprobe")],
            ..hook("nf_ct_resolve_clash", "drops for a clash")
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
            ..hook("nf_conntrack_in", "drops for want of an entry")
        },
    },
    Needed {
        by: &[Drop],
        hook: Hook {
            trampoline: &[],
            kprobe: &[tracepoint("kfree_skb_tracepoint")],
            ..hook("kfree_skb", "the kernel's reasons for drops")
        },
    },
    Needed {
        by: &[Drop],
        hook: Hook {
            essential: true,
            trampoline: &[entry("why_destroy_fentry")],
            kprobe: &[entry("why_destroy_kprobe")],
            ..hook(
                "nf_ct_destroy",
                "entries that go without having been in the table",
            )
        },
    },
];

/// The hooks whose causes a trace has something to say of: all but those that look at every packet, which it does itself.
pub fn for_trace() -> Vec<&'static Hook> {
    let all = HOOKS.iter().map(|needed| &needed.hook);
    all.filter(|hook| hook.function != "nf_conntrack_in").collect()
}

/// The hooks that tell of `families`.
pub fn of(families: &[CauseFamily]) -> Vec<&'static Hook> {
    HOOKS
        .iter()
        .filter(|needed| needed.by.iter().any(|by| families.contains(by)))
        .map(|needed| &needed.hook)
        .collect()
}
