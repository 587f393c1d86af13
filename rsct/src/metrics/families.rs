//! Every family that rsct exports. docs/metrics.md has the same table.

use super::family::{Family, Kind, Part};

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    part: Part,
    help: &'static str,
) -> Family {
    Family {
        name,
        kind,
        unit: "",
        labels,
        part,
        help,
    }
}

const fn with_unit(family: Family, unit: &'static str) -> Family {
    Family { unit, ..family }
}

macro_rules! families {
    ($($(#[$doc:meta])* $const:ident: $family:expr;)*) => {
        $($(#[$doc])* pub(crate) static $const: Family = $family;)*

        /// Every family, in the order of the output.
        pub(crate) static ALL: &[&Family] = &[$(&$const,)*];
    };
}

use Kind::{Counter, Gauge, Histogram, Info};
use Part::{Kernel, Latency, NodeExporter, Own, Trace};

families! {
    /// Entries.
    ENTRIES: family("rsct_conntrack_entries", Gauge, &["netns"], Kernel,
        "Entries in the table, as the kernel counts them");
    /// The limit.
    LIMIT: family("rsct_conntrack_entries_limit", Gauge, &["netns"], Kernel,
        "Limit on entries: net.netfilter.nf_conntrack_max");
    /// The kernel's counters.
    STAT: family("rsct_conntrack_stat", Counter, &["netns", "stat"], Kernel,
        "The kernel's counters as conntrack -S prints them, summed over CPUs, with 64 bits");
    /// Counters that began again.
    STAT_RESTARTS: family("rsct_conntrack_stat_restarts", Counter, &[], Kernel,
        "Times that the kernel's counters of a namespace began again at 0, such as after nf_conntrack was reloaded");
    /// Failed readings.
    READ_ERRORS: family("rsct_conntrack_read_errors", Counter, &[], Kernel,
        "Readings of the kernel's counters that failed for at least one namespace");
    /// Namespaces.
    NAMESPACES: family("rsct_conntrack_namespaces", Gauge, &[], Kernel,
        "Network namespaces whose counters were read");
    /// Packets.
    PACKETS: family("rsct_conntrack_packets", Counter, &["netns"], Trace,
        "Packets that traversed nf_conntrack_in");
    /// Bytes.
    BYTES: with_unit(family("rsct_conntrack_packet_bytes", Counter, &["netns"], Trace,
        "Bytes of these packets, from the network header on"), "bytes");
    /// Created entries.
    CREATED: family("rsct_conntrack_new_entries", Counter, &["netns"], Trace,
        "Packets that got a new entry");
    /// Created entries by source.
    SOURCES: family("rsct_conntrack_source_new_entries", Counter, &["netns", "source"], Trace,
        "Packets that got a new entry, by source address: those with the most, and the sum of all others as other");
    /// Inserted entries.
    INSERTED: family("rsct_conntrack_entries_inserted", Counter, &[], Trace,
        "Entries that were inserted into the table");
    /// Deleted entries.
    DELETED: family("rsct_conntrack_entries_deleted", Counter, &[], Trace,
        "Entries that were deleted from the table");
    /// INVALID packets.
    INVALID: family("rsct_conntrack_invalid_packets", Counter, &[], Trace,
        "Packets that were INVALID");
    /// Dropped packets.
    DROPPED: family("rsct_conntrack_dropped_packets", Counter, &[], Trace,
        "Packets that nf_conntrack_in dropped");
    /// Failed inserts.
    FAILED: family("rsct_conntrack_failed_inserts", Counter, &[], Trace,
        "Entries that could not be allocated or inserted");
    /// Causes.
    CAUSES: family("rsct_conntrack_causes", Counter, &["topic", "cause"], Trace,
        "Causes of INVALID packets, drops, failed inserts, deletions and lost events; rsct why TOPIC explains each");
    /// Entries by state.
    STATES: family("rsct_conntrack_entries_by_state", Gauge, &["netns", "protocol", "state"], Trace,
        "Entries in the table by protocol and state, as records and dumps show them");
    /// Durations of traversals.
    DURATION: with_unit(family("rsct_conntrack_in_duration_seconds", Histogram, &[], Trace,
        "Durations of nf_conntrack_in"), "seconds");
    /// Durations of functions.
    CALLS: with_unit(family("rsct_conntrack_call_duration_seconds", Histogram, &["function"], Latency,
        "Durations of conntrack's functions"), "seconds");
    /// The version.
    BUILD: family("rsct_build", Info, &["version"], Own, "The version of rsct");
    /// Whether programs are attached.
    TRACING: family("rsct_tracing", Gauge, &[], Own,
        "1 if the kernel runs eBPF programs that record packets and entries, 0 if only its own counters are exact");
    /// Whether causes are counted.
    TRACING_CAUSES: family("rsct_tracing_causes", Gauge, &[], Own,
        "1 if eBPF programs count causes");
    /// Hooks.
    HOOKS: family("rsct_hooks", Gauge, &["form"], Own,
        "Hooks by the form in which they are attached; none: not attached");
    /// Lost records.
    LOST: family("rsct_lost_records", Counter, &["kind"], Own,
        "Records that rsct lost, and runs of its eBPF programs that the kernel skipped");
    /// CPU time.
    CPU: with_unit(family("process_cpu_seconds", Counter, &[], Own,
        "User and system CPU time of rsct"), "seconds");
    /// Memory.
    MEMORY: with_unit(family("process_resident_memory_bytes", Gauge, &[], Own,
        "Resident memory of rsct"), "bytes");
    /// Start.
    START: with_unit(family("process_start_time_seconds", Gauge, &[], Own,
        "Start of rsct, in seconds since 1970"), "seconds");
    /// Scrapes.
    SCRAPES: family("rsct_metrics_scrapes", Counter, &[], Own,
        "Scrapes that were answered");
    /// Disconnected clients.
    CUT: family("rsct_metrics_clients_cut", Counter, &[], Own,
        "Clients that were disconnected: too slow, or without a valid request");
    /// Duration of a reading.
    READING: with_unit(family("rsct_metrics_reading_duration_seconds", Gauge, &[], Own,
        "Duration of reading the kernel's counters for this answer"), "seconds");
    /// The limit of series.
    SERIES_LIMIT: family("rsct_metrics_series_limit", Gauge, &[], Own,
        "Largest number of series that this rsct can export with its options");
    /// Series.
    SERIES: family("rsct_metrics_series", Gauge, &[], Own,
        "Series in this answer");
    /// Entries, as node_exporter names them.
    NODE_ENTRIES: family("node_nf_conntrack_entries", Gauge, &[], NodeExporter,
        "Number of currently allocated flow entries for connection tracking.");
    /// The limit, as node_exporter names it.
    NODE_LIMIT: family("node_nf_conntrack_entries_limit", Gauge, &[], NodeExporter,
        "Maximum size of connection tracking table.");
    /// As node_exporter.
    NODE_FOUND: family("node_nf_conntrack_stat_found", Gauge, &[], NodeExporter,
        "Number of searched entries which were successful.");
    /// As node_exporter.
    NODE_INVALID: family("node_nf_conntrack_stat_invalid", Gauge, &[], NodeExporter,
        "Number of packets seen which can not be tracked.");
    /// As node_exporter.
    NODE_IGNORE: family("node_nf_conntrack_stat_ignore", Gauge, &[], NodeExporter,
        "Number of packets seen which are already connected to a conntrack entry.");
    /// As node_exporter.
    NODE_INSERT: family("node_nf_conntrack_stat_insert", Gauge, &[], NodeExporter,
        "Number of entries inserted into the list.");
    /// As node_exporter.
    NODE_INSERT_FAILED: family("node_nf_conntrack_stat_insert_failed", Gauge, &[], NodeExporter,
        "Number of entries for which list insertion was attempted but failed.");
    /// As node_exporter.
    NODE_DROP: family("node_nf_conntrack_stat_drop", Gauge, &[], NodeExporter,
        "Number of packets dropped due to conntrack failure.");
    /// As node_exporter.
    NODE_EARLY_DROP: family("node_nf_conntrack_stat_early_drop", Gauge, &[], NodeExporter,
        "Number of conntrack entries dropped for new ones, if maximum table size was reached.");
    /// As node_exporter.
    NODE_SEARCH_RESTART: family("node_nf_conntrack_stat_search_restart", Gauge, &[], NodeExporter,
        "Number of conntrack table lookups which had to be restarted due to hashtable resizes.");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_end_in_their_unit() {
        let mut names = HashSet::new();
        for family in ALL {
            assert!(names.insert(family.name), "{} twice", family.name);
            assert!(family.name.ends_with(family.unit), "{}", family.name);
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(family.name.bytes().all(plain), "{}", family.name);
            for end in ["_total", "_created", "_count", "_sum", "_bucket", "_info"] {
                assert!(!family.name.ends_with(end), "{}", family.name);
            }
            assert!(!family.labels.contains(&"port"), "{}", family.name);
        }
        assert_eq!(
            ALL.iter().filter(|family| family.part == NodeExporter).count(),
            10
        );
    }
}
