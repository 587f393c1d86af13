//! What the programs of causes attach to, by what is asked for.

use rsct_common::record::CauseFamily::{self, Delete, Full, Invalid};

use super::hooks::{Hook, entry, exit};

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
        late: false,
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
];

/// The hooks that tell of `families`.
pub fn of(families: &[CauseFamily]) -> Vec<&'static Hook> {
    HOOKS
        .iter()
        .filter(|needed| needed.by.iter().any(|by| families.contains(by)))
        .map(|needed| &needed.hook)
        .collect()
}
