//! What the programs attach to, and in which forms.

/// One kernel function, what rsct learns there, and the programs that can be put on it.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// The kernel function.
    pub function: &'static str,
    /// What is not seen without it.
    pub shows: &'static str,
    /// Whether there is no trace at all without it.
    pub essential: bool,
    /// When it is attached.
    pub stage: Stage,
    /// fentry and fexit programs.
    pub trampoline: &'static [Program],
    /// kprobe and kretprobe programs.
    pub kprobe: &'static [Program],
}

/// When a trace attaches a hook. It shows packets after the first stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before it shows packets: `nf_conntrack_in`, TCP, UDP, and the end of entries. After an entry's end its address names
    /// another flow; an entry whose allocation was not seen is born when it is first seen.
    First,
    /// While it shows packets, before the first dump: alloc, confirm, insert, delete, refresh and other protocols.
    Second,
    /// After the first dump, before `started`: rare events.
    Last,
}

/// A program of the eBPF object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name in the object.
    pub name: &'static str,
    /// Where it runs.
    pub at: At,
}

/// The two ends of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// fentry, or kprobe.
    Entry,
    /// fexit, or kretprobe.
    Return,
    /// A tracepoint of that name: in this form only, whatever is asked for.
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

/// A protocol's handler, hooked at its entry. Packets that pass before it is attached are shown without their state before.
const fn handler(
    stage: Stage,
    function: &'static str,
    fentry: &'static [Program],
    kprobe: &'static [Program],
) -> Hook {
    Hook {
        function,
        shows: "the state before each packet of that protocol",
        essential: false,
        stage,
        trampoline: fentry,
        kprobe,
    }
}

/// Where conntrack looks at an ICMP error.
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

/// Every hook of a trace, in the order in which each stage is attached. `nf_conntrack_in` is the last of its stage: before
/// it, no packet is recorded.
pub const HOOKS: &[&Hook] = &[
    &Hook {
        function: "__nf_conntrack_alloc",
        shows: "the birth of entries, and entries that could not be allocated",
        essential: false,
        stage: Stage::Second,
        trampoline: &[exit("alloc_fexit")],
        kprobe: &[entry("alloc_kprobe"), exit("alloc_kretprobe")],
    },
    &Hook {
        function: "nf_ct_destroy",
        shows: "the end of entries",
        essential: false,
        stage: Stage::First,
        trampoline: &[entry("destroy_fentry")],
        kprobe: &[entry("destroy_kprobe")],
    },
    &Hook {
        function: "__nf_conntrack_hash_insert",
        shows: "the moment an entry is in the table (confirm and hash_check_insert show it too)",
        essential: false,
        stage: Stage::Second,
        trampoline: &[entry("hash_insert_fentry")],
        kprobe: &[entry("hash_insert_kprobe")],
    },
    &Hook {
        function: "nf_conntrack_hash_check_insert",
        shows: "entries made through ctnetlink or by BPF programs",
        essential: false,
        stage: Stage::Second,
        trampoline: &[exit("check_insert_fexit")],
        kprobe: &[entry("check_insert_kprobe"), exit("check_insert_kretprobe")],
    },
    &Hook {
        function: "__nf_conntrack_confirm",
        shows: "confirming, its verdict and its cost",
        essential: false,
        stage: Stage::Second,
        trampoline: &[entry("confirm_fentry"), exit("confirm_fexit")],
        kprobe: &[entry("confirm_kprobe"), exit("confirm_kretprobe")],
    },
    &Hook {
        function: "nf_ct_delete",
        shows: "deletes, and who asked for them",
        essential: false,
        stage: Stage::Second,
        trampoline: &[entry("delete_fentry"), exit("delete_fexit")],
        kprobe: &[entry("delete_kprobe"), exit("delete_kretprobe")],
    },
    &Hook {
        function: "__nf_ct_change_timeout",
        shows: "timeouts set through ctnetlink or by BPF programs, and by which task",
        essential: false,
        stage: Stage::Last,
        trampoline: &[entry("change_timeout_fentry")],
        kprobe: &[entry("change_timeout_kprobe")],
    },
    &Hook {
        function: "nf_ct_untimeout",
        shows: "the end of timeout policies that govern flows",
        essential: false,
        stage: Stage::Last,
        trampoline: &[entry("untimeout_fentry")],
        kprobe: &[entry("untimeout_kprobe")],
    },
    &Hook {
        function: "__nf_ct_refresh_acct",
        shows: "the timeout each packet asks for",
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
        shows: "packets at all",
        essential: true,
        stage: Stage::First,
        trampoline: &[entry("in_fentry"), exit("in_fexit")],
        kprobe: &[entry("in_kprobe"), exit("in_kretprobe")],
    },
];

/// What the slow path of spinlocks shows.
const WAITING: &str = "waiting for the table's locks";

/// Where `rsct latency` measures: what it can't attach to is not measured, and the rest is.
pub const LATENCY_HOOKS: &[Hook] = &[
    measured(
        "nf_ct_delete",
        "how many entries garbage collection takes out, and how late",
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
    // The same where it has no other name: no kernel has both.
    measured(
        "queued_spin_lock_slowpath",
        WAITING,
        &[entry("slowpath_fentry"), exit("slowpath_fexit")],
        &[entry("slowpath_kprobe"), exit("slowpath_kretprobe")],
    ),
    measured(
        "__pv_queued_spin_lock_slowpath",
        "waiting for the table's locks in a guest whose host helps",
        &[entry("pv_slowpath_fentry"), exit("pv_slowpath_fexit")],
        &[entry("pv_slowpath_kprobe"), exit("pv_slowpath_kretprobe")],
    ),
    measured(
        "nf_nat_setup_info",
        "the time NAT takes to find a tuple",
        &[entry("setup_fentry"), exit("setup_fexit")],
        &[entry("setup_kprobe"), exit("setup_kretprobe")],
    ),
    measured(
        "__nf_conntrack_confirm",
        "the time confirming takes",
        &[entry("confirm_fentry"), exit("confirm_fexit")],
        &[entry("confirm_kprobe"), exit("confirm_kretprobe")],
    ),
    Hook {
        essential: true,
        ..measured(
            "nf_conntrack_in",
            "the time packets take",
            &[entry("in_fentry"), exit("in_fexit")],
            &[entry("in_kprobe"), exit("in_kretprobe")],
        )
    },
];

/// What measuring costs is measured on a function of the kernel's own that does nothing.
pub const NOTHING: Hook = measured(
    "bpf_fentry_test1",
    "what measuring costs",
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

/// The one hook of a listing with sources of timeouts.
pub const DUMP_HOOKS: &[&Hook] = &[&Hook {
    function: "ctnetlink_fill_info",
    shows: "whose the timeouts of listed entries are (list --timeout-source)",
    essential: true,
    stage: Stage::First,
    trampoline: &[entry("fill_info_fentry")],
    kprobe: &[entry("fill_info_kprobe")],
}];
