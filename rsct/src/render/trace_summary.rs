//! The closing figures of a trace, for people and as JSON.

use std::fmt::Write as _;

use rsct_common::loss::Loss;

use crate::{
    observe::Summary,
    plural,
    records::Lost,
    schema::{
        common::{self, Unproven, losses},
        tag,
        trace::{self, Unreached},
    },
};

use super::bytes;

/// Lines for people.
pub(crate) fn text(summary: &Summary) -> String {
    let counts = &summary.counts;
    let mut text = format!(
        "rsct: {} and {} in {:.3} s",
        plural::count(counts.packets, "packet", "packets"),
        plural::count(counts.entries, "entry event", "entry events"),
        summary.elapsed.as_secs_f64()
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
    let [dump, probe, both] = summary.known;
    let _ = write!(
        text,
        "rsct: {} known: {both} from probes and dumps, {dump} only from dumps, {probe} only from probes; ",
        plural::count(dump + probe + both, "flow", "flows")
    );
    let differences: usize = summary.differences.iter().map(|(_, count)| count).sum();
    let _ = write!(
        text,
        "{} in {}",
        plural::count(differences, "difference", "differences"),
        plural::count(summary.dumps, "dump", "dumps")
    );
    for (kind, count) in &summary.differences {
        let _ = write!(text, ", {count} {kind}");
    }
    text.push_str(".\n");
    for (netns, flows) in &summary.unreached {
        let flows = plural::count(*flows as u64, "flow is", "flows are");
        let _ = writeln!(
            text,
            "rsct: network namespace {netns} was not dumped: no name, mount, process, thread or open file that rsct \
             can see refers to it; its {flows} known only from probes."
        );
    }
    for error in &summary.dump_errors {
        let _ = writeln!(text, "rsct: {error}");
    }
    for unfired in &summary.unfired {
        let _ = writeln!(text, "rsct: {unfired}.");
    }
    if let Some(doubt) = &summary.doubt {
        let _ = writeln!(text, "rsct: {}; packets and events may be MISSING.", doubt.reason);
    }
    if summary.causes_lost != 0 {
        let _ = writeln!(
            text,
            "rsct: {} LOST: up to that many packets and entries are shown without their cause.",
            plural::count(summary.causes_lost, "cause", "causes")
        );
    }
    if summary.causes_lost_uncounted {
        text.push_str(
            "rsct: this kernel does not count the kprobes that it skips while another runs on that CPU: causes may be \
             missing.\n",
        );
    }
    if summary.skips.uncounted {
        text.push_str(
            "rsct: this kernel does not count the kprobes that it skips while another runs on that CPU: packets that \
             interrupted a probe may be missing in addition to the losses counted here.\n",
        );
    }
    if summary.lost_total() == 0 {
        text.push_str("rsct: 0 records lost.\n");
        return text;
    }
    let _ = writeln!(
        text,
        "rsct: {} LOST or incomplete:",
        plural::count(summary.lost_total(), "record", "records")
    );
    lost_text(&mut text, &summary.lost);
    if summary.skips.counted != 0 {
        let _ = writeln!(
            text,
            "rsct:   {} skipped (the kernel does not run a program while another runs on that CPU)",
            summary.skips.counted
        );
    }
    if summary.malformed != 0 {
        let _ = writeln!(text, "rsct:   {} malformed (please report it)", summary.malformed);
    }
    text
}

/// One JSON object.
pub(crate) fn json(summary: &Summary, out: &mut Vec<u8>) {
    let counts = &summary.counts;
    let [flows_from_dump, flows_from_probe, flows_from_both] = summary.known;
    let unproven = summary.doubt.as_ref().map(|doubt| Unproven {
        time_ns: Some(doubt.time_ns),
        run: doubt.run,
        reason: doubt.reason.clone(),
    });
    let unreached = summary.unreached.iter().map(|(netns, flows)| Unreached {
        netns: (*netns).into(),
        flows: *flows,
    });
    let line = trace::Summary {
        r#type: tag::Summary,
        elapsed_ns: summary.elapsed.as_nanos() as u64,
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
        dumps: summary.dumps,
        lost_total: summary.lost_total(),
        skips: common::Skips::of(summary.skips, summary.malformed),
        causes_lost: summary.causes_lost,
        causes_lost_uncounted: summary.causes_lost_uncounted,
        unproven,
        unfired: summary
            .unfired
            .iter()
            .flat_map(|unfired| unfired.functions())
            .copied()
            .collect(),
        differences: summary
            .differences
            .iter()
            .map(|(kind, count)| ((*kind).into(), *count))
            .collect(),
        unreached: unreached.collect(),
        losses: losses(&summary.lost),
    };
    bytes::json_line(out, &line);
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
