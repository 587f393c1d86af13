//! The fields and arguments that only the programs of `rsct latency` need from the running kernel.

use crate::{
    field::{Field, Need},
    hook::Argument,
};

/// The fields.
pub const FIELDS: &[Field] = &[
    Field {
        global: "GC_WORK_FIRST",
        of: "conntrack_gc_work",
        path: "dwork.work.data",
        bytes: 8,
        need: Need::Optional,
    },
    Field {
        global: "GC_WORK_NEXT_BUCKET",
        of: "conntrack_gc_work",
        path: "next_bucket",
        bytes: 4,
        need: Need::Optional,
    },
];

const fn argument(global: &'static str, function: &'static str, name: &'static str) -> Argument {
    Argument {
        global,
        function,
        name,
    }
}

#[cfg(target_arch = "x86_64")]
const SLOWPATH: &str = "native_queued_spin_lock_slowpath";
#[cfg(not(target_arch = "x86_64"))]
const SLOWPATH: &str = "queued_spin_lock_slowpath";

/// The arguments.
pub const ARGUMENTS: &[Argument] = &[
    argument("ARG_SETUP_CT", "nf_nat_setup_info", "ct"),
    argument("ARG_SETUP_RETURN", "nf_nat_setup_info", "return"),
    argument("ARG_GC_WORK", "gc_worker", "work"),
    // All names of the function have the same arguments.
    argument("ARG_SLOWPATH_LOCK", SLOWPATH, "lock"),
];
