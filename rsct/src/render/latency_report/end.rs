//! The end of the reports: what the numbers lack.

use crate::{
    latency::{Begins, Stretch},
    message, plural,
    render::{bytes, trace_summary},
    schema::{
        common::{Skips, Unproven, losses},
        latency::LatencySummary,
        tag,
    },
};

/// Appends the summary as JSON, or prints it as messages. `slow` is the number of slow calls, if they were recorded.
pub(super) fn end(out: &mut Vec<u8>, is_json: bool, begins: &Begins, whole: &Stretch, slow: Option<u64>) {
    let resized = resized(begins.table_buckets, whole.losses.table_buckets);
    if is_json {
        json(out, whole, slow, resized);
    } else {
        messages(whole, slow, resized);
    }
}

/// The old and the new number of buckets, if the table was resized.
fn resized(before: u32, now: u32) -> Option<(u32, u32)> {
    (now != before).then_some((before, now))
}

fn json(out: &mut Vec<u8>, whole: &Stretch, slow: Option<u64>, resized: Option<(u32, u32)>) {
    let unfinished = &whole.reading.counts.unfinished;
    let lacking = &whole.losses;
    let line = LatencySummary {
        r#type: tag::Summary,
        elapsed_ns: whole.elapsed_ns,
        slow: slow.unwrap_or(0),
        unfinished: unfinished.values().sum(),
        unfinished_by_function: unfinished
            .iter()
            .map(|(function, count)| (function.name().into(), *count))
            .collect(),
        skips: Skips::of(lacking.skips, lacking.malformed),
        lost_total: lacking.lost.total(),
        losses: losses(&lacking.lost),
        hash_buckets_before: resized.map(|(before, _)| before),
        hash_buckets_now: resized.map(|(_, now)| now),
        unproven: lacking.unproven.as_ref().map(|unproven| Unproven {
            time_ns: None,
            run: unproven.run,
            reason: unproven.reason.clone(),
        }),
    };
    bytes::json_line(out, &line);
}

fn messages(whole: &Stretch, slow: Option<u64>, resized: Option<(u32, u32)>) {
    let lacking = &whole.losses;
    if let Some(unproven) = &lacking.unproven {
        message!("{}; calls may be MISSING", unproven.reason);
    }
    if let Some(slow) = slow {
        message!(
            "{} slower than --slower-than.",
            plural::count(slow, "call was", "calls were")
        );
    }
    if let Some((before, now)) = resized {
        message!(
            "the table was resized from {before} to {now} buckets: the number of buckets that each garbage collection \
             run scanned is computed with the old size."
        );
    }
    for (function, count) in &whole.reading.counts.unfinished {
        message!(
            "the return of {} of {} was not recorded: still running, or evicted from the map.",
            plural::count(*count, "call", "calls"),
            function.name()
        );
    }
    let skips = lacking.skips;
    if skips.uncounted {
        message!(
            "this kernel does not count the kprobes that it skips while another runs on the same CPU: more calls may \
             be missing than counted here."
        );
    }
    if skips.counted != 0 {
        message!(
            "the kernel skipped eBPF programs {} while another ran on the same CPU: up to {} missing in the tables.",
            plural::count(skips.counted, "time", "times"),
            plural::count(skips.counted, "call is", "calls are")
        );
    }
    if lacking.malformed != 0 {
        message!(
            "{} malformed (please report it).",
            plural::count(lacking.malformed, "record was", "records were")
        );
    }
    message!(
        "{} lost.",
        plural::count(lacking.lost.total(), "record", "records")
    );
    let mut kinds = String::new();
    trace_summary::lost_text(&mut kinds, &lacking.lost);
    message::write(kinds);
}
