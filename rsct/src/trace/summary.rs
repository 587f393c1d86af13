//! The closing figures: records read and records lost.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use rsct_common::loss::Loss;

use crate::{
    flow::FlowTable,
    plural,
    probe::{ring::Lost, session::Skips},
    render::bytes,
    schema::{
        common::{self, Unproven, losses},
        tag,
        trace::{self, Unreached},
    },
};

use super::{join::Counts, silence::Doubt, unfired::Unfired};

/// The closing figures, for people and for programs.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// The duration of the trace.
    pub elapsed: Duration,
    /// Numbers of records, by kind.
    pub counts: Counts,
    /// Records that the eBPF programs lost, per CPU and kind.
    pub lost: Lost,
    /// eBPF programs that the kernel skipped because one was already running on that CPU.
    pub skips: Skips,
    /// Causes that were lost, or missed because the kernel skipped programs.
    pub causes_lost: u64,
    /// True if there may be more: this kernel does not count skipped kprobes.
    pub causes_lost_uncounted: bool,
    /// Malformed records.
    pub malformed: u64,
    /// Flows known at the end: only from dumps, only from probes, from both.
    pub known: [usize; 3],
    /// Number of dumps.
    pub dumps: u32,
    /// Differences between the two sources, by kind.
    pub differences: Vec<(&'static str, usize)>,
    /// Namespaces that no name or file makes reachable for a dump, and the number of flows that probes know in each.
    pub unreached: BTreeMap<u32, usize>,
    /// Failed dumps.
    pub dump_errors: Vec<String>,
    /// Why records may be missing that no counter shows.
    pub doubt: Option<Doubt>,
    /// Hooks that have not fired although a dump shows that they should have.
    pub unfired: Vec<Unfired>,
}

impl Summary {
    /// The figures of the table.
    pub(crate) fn count_table(table: &FlowTable) -> [usize; 3] {
        let mut known = [0; 3];
        for flow in table.flows() {
            known[match (flow.from_dump, flow.from_probe) {
                (true, false) => 0,
                (false, _) => 1,
                (true, true) => 2,
            }] += 1;
        }
        known
    }

    /// The loss of all kinds.
    pub(crate) fn lost_total(&self) -> u64 {
        self.lost.total() + self.skips.counted + self.malformed
    }

    /// Lines for people.
    pub(crate) fn text(&self) -> String {
        let counts = &self.counts;
        let mut text = format!(
            "rsct: {} and {} in {:.3} s",
            plural::count(counts.packets, "packet", "packets"),
            plural::count(counts.entries, "entry event", "entry events"),
            self.elapsed.as_secs_f64()
        );
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            " ({} inserted, {} deleted, {} invalid",
            counts.inserted, counts.deleted, counts.invalid
        );
        if counts.dropped != 0 {
            let _ = write!(text, ", {} dropped", counts.dropped);
        }
        text.push_str(").\n");
        let [dump, probe, both] = self.known;
        let _ = write!(
            text,
            "rsct: {} known: {both} from probes and dumps, {dump} only from dumps, {probe} only from probes; ",
            plural::count(dump + probe + both, "flow", "flows")
        );
        let differences: usize = self.differences.iter().map(|(_, count)| count).sum();
        let _ = write!(
            text,
            "{} in {}",
            plural::count(differences, "difference", "differences"),
            plural::count(self.dumps, "dump", "dumps")
        );
        for (kind, count) in &self.differences {
            let _ = write!(text, ", {count} {kind}");
        }
        text.push_str(".\n");
        for (netns, flows) in &self.unreached {
            let flows = plural::count(*flows as u64, "flow is", "flows are");
            let _ = writeln!(
                text,
                "rsct: network namespace {netns} was not dumped: no name, mount, process, thread or open file that rsct \
                 can see refers to it; its {flows} known only from probes."
            );
        }
        for error in &self.dump_errors {
            let _ = writeln!(text, "rsct: {error}");
        }
        for unfired in &self.unfired {
            let _ = writeln!(text, "rsct: {unfired}.");
        }
        if let Some(doubt) = &self.doubt {
            let _ = writeln!(text, "rsct: {}; packets and events may be MISSING.", doubt.why);
        }
        if self.causes_lost != 0 {
            let _ = writeln!(
                text,
                "rsct: {} LOST: up to that many packets and entries are shown without their cause.",
                plural::count(self.causes_lost, "cause", "causes")
            );
        }
        if self.causes_lost_uncounted {
            text.push_str(
                "rsct: this kernel does not count the kprobes that it skips while another runs on that CPU: causes may be \
                 missing.\n",
            );
        }
        if self.skips.uncounted {
            text.push_str(
                "rsct: this kernel does not count the kprobes that it skips while another runs on that CPU: packets that \
                 interrupted a probe may be missing in addition to the losses counted here.\n",
            );
        }
        if self.lost_total() == 0 {
            text.push_str("rsct: 0 records lost.\n");
            return text;
        }
        let _ = writeln!(
            text,
            "rsct: {} LOST or incomplete:",
            plural::count(self.lost_total(), "record", "records")
        );
        lost_text(&mut text, &self.lost);
        if self.skips.counted != 0 {
            let _ = writeln!(
                text,
                "rsct:   {} skipped (the kernel does not run a program while another runs on that CPU)",
                self.skips.counted
            );
        }
        if self.malformed != 0 {
            let _ = writeln!(text, "rsct:   {} malformed (please report it)", self.malformed);
        }
        text
    }

    /// One JSON object.
    pub(crate) fn json(&self, out: &mut Vec<u8>) {
        let counts = &self.counts;
        let [flows_from_dump, flows_from_probe, flows_from_both] = self.known;
        let unproven = self.doubt.as_ref().map(|doubt| Unproven {
            time_ns: Some(doubt.time_ns),
            ..Unproven::of(&doubt.why)
        });
        let unreached = self.unreached.iter().map(|(netns, flows)| Unreached {
            netns: (*netns).into(),
            flows: *flows,
        });
        let line = trace::Summary {
            r#type: tag::Summary,
            elapsed_ns: self.elapsed.as_nanos() as u64,
            packets: counts.packets,
            entry_events: counts.entries,
            inserted: counts.inserted,
            deleted: counts.deleted,
            invalid: counts.invalid,
            dropped: counts.dropped,
            incomplete: counts.incomplete,
            flows_from_dump,
            flows_from_probe,
            flows_from_both,
            dumps: self.dumps,
            lost_total: self.lost_total(),
            skips: common::Skips::of(self.skips, self.malformed),
            causes_lost: self.causes_lost,
            causes_lost_uncounted: self.causes_lost_uncounted,
            unproven,
            unfired: self
                .unfired
                .iter()
                .flat_map(|unfired| unfired.functions)
                .copied()
                .collect(),
            differences: self
                .differences
                .iter()
                .map(|(kind, count)| ((*kind).into(), *count))
                .collect(),
            unreached: unreached.collect(),
            losses: losses(&self.lost),
        };
        bytes::json_line(out, &line);
    }
}

/// Appends a line for each kind of loss that occurred.
pub(crate) fn lost_text(text: &mut String, lost: &Lost) {
    for (index, loss) in Loss::ALL.iter().enumerate() {
        if lost.of(index) == 0 {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "rsct:   {} {} ({})",
            lost.of(index),
            loss.name(),
            loss.meaning()
        );
        for (cpu, counts) in lost
            .per_cpu
            .iter()
            .enumerate()
            .filter(|(_, counts)| counts[index] != 0)
        {
            let _ = write!(text, " CPU {cpu}: {}", counts[index]);
        }
        text.push('\n');
    }
}
