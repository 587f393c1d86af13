//! The kernel functions that the programs attach to, and in which forms.

/// A kernel function, its use for rsct, and its programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hook {
    /// The kernel function.
    pub function: &'static str,
    /// The information that is missing without it.
    pub shows: &'static str,
    /// True if no trace is possible without it.
    pub essential: bool,
    /// The stage in which it is attached.
    pub stage: Stage,
    /// fentry and fexit programs.
    pub trampoline: &'static [Program],
    /// kprobe and kretprobe programs.
    pub kprobe: &'static [Program],
}

/// The stage in which a trace attaches a hook. It shows packets after the first stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before it shows packets: `nf_conntrack_in`, TCP, UDP, and the destruction of entries. After that, an entry's
    /// address identifies another flow; an entry without a seen allocation is born at its first sight.
    First,
    /// While it shows packets, before the first dump: alloc, confirm, insert, delete, refresh and other protocols.
    Second,
    /// After the first dump, before `started`: rare events.
    Last,
}

/// A program of the eBPF object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its name in the object.
    pub name: &'static str,
    /// The point at which it runs.
    pub at: At,
}

/// The ends of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// fentry, or kprobe.
    Entry,
    /// fexit, or kretprobe.
    Return,
    /// A tracepoint of that name: in this form only, whatever the options request.
    Tracepoint,
}

pub(super) const fn entry(name: &'static str) -> Program {
    Program { name, at: At::Entry }
}

pub(super) const fn tracepoint(name: &'static str) -> Program {
    Program {
        name,
        at: At::Tracepoint,
    }
}

pub(super) const fn exit(name: &'static str) -> Program {
    Program { name, at: At::Return }
}

/// The handler of a protocol, hooked at its entry. Packets before its attachment are shown without their state
/// before.
const fn handler(
    stage: Stage,
    function: &'static str,
    fentry: &'static [Program],
    kprobe: &'static [Program],
) -> Hook {
    Hook {
        function,
        shows: "the state before each packet of this protocol",
        essential: false,
        stage,
        trampoline: fentry,
        kprobe,
    }
}

/// The conntrack function for ICMP errors.
const fn icmp_error(function: &'static str, fentry: &'static [Program], kprobe: &'static [Program]) -> Hook {
    Hook {
        function,
        shows: "type, code and sender of ICMP errors",
        essential: false,
        stage: Stage::Last,
        trampoline: fentry,
        kprobe,
    }
}

/// Every hook of a trace, in the order of attachment in each stage. `nf_conntrack_in` is the last of its stage:
/// before it, no packet is recorded.
pub(crate) const HOOKS: &[&Hook] = &[
    &Hook {
        function: "__nf_conntrack_alloc",
        shows: "births of entries, and failed allocations",
        essential: false,
        stage: Stage::Second,
        trampoline: &[exit("alloc_fexit")],
        kprobe: &[entry("alloc_kprobe"), exit("alloc_kretprobe")],
    },
    &Hook {
        function: "nf_ct_destroy",
        shows: "destroyed entries",
        essential: false,
        stage: Stage::First,
        trampoline: &[entry("destroy_fentry")],
        kprobe: &[entry("destroy_kprobe")],
    },
    &Hook {
        function: "__nf_conntrack_hash_insert",
        shows: "inserts into the table (confirm and hash_check_insert show them too)",
        essential: false,
        stage: Stage::Second,
        trampoline: &[entry("hash_insert_fentry")],
        kprobe: &[entry("hash_insert_kprobe")],
    },
    &Hook {
        function: "nf_conntrack_hash_check_insert",
        shows: "entries created by ctnetlink or BPF programs",
        essential: false,
        stage: Stage::Second,
        trampoline: &[exit("check_insert_fexit")],
        kprobe: &[entry("check_insert_kprobe"), exit("check_insert_kretprobe")],
    },
    &Hook {
        function: "__nf_conntrack_confirm",
        shows: "confirms, their verdicts and costs",
        essential: false,
        stage: Stage::Second,
        trampoline: &[entry("confirm_fentry"), exit("confirm_fexit")],
        kprobe: &[entry("confirm_kprobe"), exit("confirm_kretprobe")],
    },
    &Hook {
        function: "nf_ct_delete",
        shows: "deletions, and their callers",
        essential: false,
        stage: Stage::Second,
        trampoline: &[entry("delete_fentry"), exit("delete_fexit")],
        kprobe: &[entry("delete_kprobe"), exit("delete_kretprobe")],
    },
    &Hook {
        function: "__nf_ct_change_timeout",
        shows: "timeouts set by ctnetlink or BPF programs, and the task",
        essential: false,
        stage: Stage::Last,
        trampoline: &[entry("change_timeout_fentry")],
        kprobe: &[entry("change_timeout_kprobe")],
    },
    &Hook {
        function: "nf_ct_untimeout",
        shows: "deleted timeout policies",
        essential: false,
        stage: Stage::Last,
        trampoline: &[entry("untimeout_fentry")],
        kprobe: &[entry("untimeout_kprobe")],
    },
    &Hook {
        function: "__nf_ct_refresh_acct",
        shows: "the timeout that each packet sets",
        essential: false,
        stage: Stage::Second,
        trampoline: &[entry("refresh_fentry")],
        kprobe: &[entry("refresh_kprobe")],
    },
    &handler(
        Stage::First,
        "nf_conntrack_tcp_packet",
        &[entry("tcp_fentry")],
        &[entry("tcp_kprobe")],
    ),
    &handler(
        Stage::First,
        "nf_conntrack_udp_packet",
        &[entry("udp_fentry")],
        &[entry("udp_kprobe")],
    ),
    &handler(
        Stage::Second,
        "nf_conntrack_icmp_packet",
        &[entry("icmp_fentry")],
        &[entry("icmp_kprobe")],
    ),
    &handler(
        Stage::Second,
        "nf_conntrack_icmpv6_packet",
        &[entry("icmpv6_fentry")],
        &[entry("icmpv6_kprobe")],
    ),
    &handler(
        Stage::Second,
        "nf_conntrack_sctp_packet",
        &[entry("sctp_fentry")],
        &[entry("sctp_kprobe")],
    ),
    &handler(
        Stage::Second,
        "nf_conntrack_gre_packet",
        &[entry("gre_fentry")],
        &[entry("gre_kprobe")],
    ),
    &icmp_error(
        "nf_conntrack_icmpv4_error",
        &[entry("icmp_error_fentry")],
        &[entry("icmp_error_kprobe")],
    ),
    &icmp_error(
        "nf_conntrack_icmpv6_error",
        &[entry("icmpv6_error_fentry")],
        &[entry("icmpv6_error_kprobe")],
    ),
    &handler(
        Stage::Last,
        "nf_conntrack_dccp_packet",
        &[entry("dccp_fentry")],
        &[entry("dccp_kprobe")],
    ),
    &handler(
        Stage::Last,
        "nf_conntrack_udplite_packet",
        &[entry("udplite_fentry")],
        &[entry("udplite_kprobe")],
    ),
    &Hook {
        function: "nf_conntrack_in",
        shows: "packets",
        essential: true,
        stage: Stage::First,
        trampoline: &[entry("in_fentry"), exit("in_fexit")],
        kprobe: &[entry("in_kprobe"), exit("in_kretprobe")],
    },
];

/// The information from the slow path of spinlocks.
const WAITING: &str = "waiting for the table's locks";

/// The hooks of `rsct latency`: it measures those that can be attached.
pub(crate) const LATENCY_HOOKS: &[Hook] = &[
    measured(
        "nf_ct_delete",
        "the entries that garbage collection deletes, and how late",
        &[exit("delete_fexit")],
        &[entry("delete_kprobe"), exit("delete_kretprobe")],
    ),
    measured(
        "gc_worker",
        "garbage collection",
        &[entry("gc_fentry"), exit("gc_fexit")],
        &[entry("gc_kprobe"), exit("gc_kretprobe")],
    ),
    measured(
        "nf_conntrack_lock",
        "taking the table's locks one by one",
        &[entry("lock_fentry"), exit("lock_fexit")],
        &[entry("lock_kprobe"), exit("lock_kretprobe")],
    ),
    measured(
        "nf_conntrack_double_lock",
        "taking the table's locks in pairs",
        &[entry("double_lock_fentry"), exit("double_lock_fexit")],
        &[entry("double_lock_kprobe"), exit("double_lock_kretprobe")],
    ),
    measured(
        "native_queued_spin_lock_slowpath",
        WAITING,
        &[entry("slowpath_fentry"), exit("slowpath_fexit")],
        &[entry("slowpath_kprobe"), exit("slowpath_kretprobe")],
    ),
    // The same function without another name: no kernel has both.
    measured(
        "queued_spin_lock_slowpath",
        WAITING,
        &[entry("slowpath_fentry"), exit("slowpath_fexit")],
        &[entry("slowpath_kprobe"), exit("slowpath_kretprobe")],
    ),
    measured(
        "__pv_queued_spin_lock_slowpath",
        "waiting for the table's locks in a paravirtualised guest",
        &[entry("pv_slowpath_fentry"), exit("pv_slowpath_fexit")],
        &[entry("pv_slowpath_kprobe"), exit("pv_slowpath_kretprobe")],
    ),
    measured(
        "nf_nat_setup_info",
        "the duration of NAT's search for a tuple",
        &[entry("setup_fentry"), exit("setup_fexit")],
        &[entry("setup_kprobe"), exit("setup_kretprobe")],
    ),
    measured(
        "__nf_conntrack_confirm",
        "the duration of confirms",
        &[entry("confirm_fentry"), exit("confirm_fexit")],
        &[entry("confirm_kprobe"), exit("confirm_kretprobe")],
    ),
    Hook {
        essential: true,
        ..measured(
            "nf_conntrack_in",
            "the duration of packets' traversals",
            &[entry("in_fentry"), exit("in_fexit")],
            &[entry("in_kprobe"), exit("in_kretprobe")],
        )
    },
];

/// The hook for the cost of measuring: a kernel function that does nothing.
pub(crate) const NOTHING: Hook = measured(
    "bpf_fentry_test1",
    "the cost of measuring",
    &[entry("nothing_fentry"), exit("nothing_fexit")],
    &[entry("nothing_kprobe"), exit("nothing_kretprobe")],
);

/// A function whose duration is measured.
const fn measured(
    function: &'static str,
    shows: &'static str,
    trampoline: &'static [Program],
    kprobe: &'static [Program],
) -> Hook {
    Hook {
        function,
        shows,
        essential: false,
        stage: Stage::First,
        trampoline,
        kprobe,
    }
}

/// The hook of a listing with timeout sources.
pub(crate) const DUMP_HOOKS: &[&Hook] = &[&Hook {
    function: "ctnetlink_fill_info",
    shows: "the sources of listed timeouts (list --timeout-source)",
    essential: true,
    stage: Stage::First,
    trampoline: &[entry("fill_info_fentry")],
    kprobe: &[entry("fill_info_kprobe")],
}];
