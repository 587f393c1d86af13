//! Output of a measurement: at the start, after each interval, and at the end.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    time::Duration,
};

use rsct_common::latency::Function;

use super::{LatencyArgs, Measuring};
use crate::{
    kernel::{clock, hz::Hz, interfaces::Names},
    latency::{By, ERROR_PERCENT, Reading},
    message, plural,
    probe::{
        self,
        session::{How, Session},
    },
    render::{
        bytes,
        color::Palette,
        latency::{self as text, Report},
        latency_json, trace_summary,
    },
    schema::{
        self, Command,
        common::{Skips, Unproven, losses},
        latency::{FilterOption, LatencyHook, LatencyStarted, LatencySummary, Span},
        tag,
    },
};

/// Numbers of the whole measurement for the summary.
pub(super) struct Totals {
    pub(super) elapsed: Duration,
    pub(super) slow: Option<u64>,
    pub(super) unfinished: BTreeMap<Function, u64>,
    pub(super) resized: Option<(u32, u32)>,
}

/// The output format.
pub(super) struct Shown {
    pub(super) json: bool,
    by: By,
    hz: Hz,
    palette: Palette,
    /// Names of namespaces.
    names: Names,
}

impl Shown {
    pub(super) fn new(args: &LatencyArgs) -> anyhow::Result<Self> {
        let by = args.by.by();
        let names = match by {
            By::Netns => Names::read(),
            _ => Names::default(),
        };
        Ok(Self {
            json: args.output.is_json(),
            by,
            hz: Hz::of_running_kernel()?,
            palette: Palette::for_stream(&io::stdout()),
            names,
        })
    }

    pub(super) fn started(
        &self,
        out: &mut Vec<u8>,
        args: &LatencyArgs,
        measuring: &Measuring,
        started_ns: u64,
    ) {
        let filter = args.filter.given();
        if self.json {
            let line = LatencyStarted {
                r#type: tag::Started,
                time_ns: started_ns,
                by: self.by.name(),
                netns: measuring.only_netns.map(u64::from),
                filter: filter
                    .iter()
                    .map(|(option, argument)| FilterOption { option, argument })
                    .collect(),
                error_percent: ERROR_PERCENT,
                hooks: measuring
                    .session
                    .hooks
                    .iter()
                    .map(|report| LatencyHook {
                        function: report.hook.function,
                        attached: report.how.name(),
                        reasons: &report.why_not_better,
                    })
                    .collect(),
                overhead: latency_json::overhead(&measuring.overhead),
            };
            schema::begin(out, Command::Latency);
            return bytes::json_line(out, &line);
        }
        let flows = if filter.is_empty() {
            "every flow".to_owned()
        } else {
            let options = filter
                .iter()
                .map(|(option, value)| format!(" --{option} {value}"));
            format!("flows that match{}", options.collect::<String>())
        };
        let whose = match (args.netns.name(), measuring.only_netns) {
            (_, None) => "every network namespace".to_owned(),
            (Some(name), _) => format!("network namespace {name}"),
            (None, _) => "this network namespace".to_owned(),
        };
        // Writing to a Vec can't fail.
        let _ = writeln!(out, "conntrack's latency, {flows} of {whose}.\n{}", text::error());
        let _ = match &measuring.overhead {
            Ok(overhead) => writeln!(
                out,
                "On this machine, a reading of the clock lasts {}. Measuring makes each call {} longer,\n\
                 of which {} are included in each duration below (measured with {} calls of an\n\
                 empty kernel function).",
                text::time(overhead.clock_ns.round() as u64),
                text::time(overhead.pair_ns),
                text::time(overhead.shown_ns),
                probe::overhead::CALLS,
            ),
            Err(why) => writeln!(out, "The cost of measuring is unknown: {why}."),
        };
        let missing = measuring
            .session
            .hooks
            .iter()
            .filter(|report| report.how == How::Not && !is_shown(measuring, report.hook));
        for report in missing {
            let _ = writeln!(
                out,
                "Not measured: {}: {} cannot be attached ({}).",
                report.hook.shows,
                report.hook.function,
                reasons(&report.why_not_better)
            );
        }
    }

    fn report<'a>(&'a self, reading: &'a Reading, bars: bool) -> Report<'a> {
        Report {
            reading,
            by: self.by,
            hz: self.hz,
            names: &self.names,
            bars,
            palette: self.palette,
        }
    }

    fn show(&self, out: &mut Vec<u8>, reading: &Reading, elapsed: Duration, whole: bool) {
        let report = self.report(reading, whole);
        if self.json {
            let span = Span {
                time_ns: clock::monotonic_ns(),
                elapsed_ns: elapsed.as_nanos() as u64,
                whole,
            };
            latency_json::report(out, &report, span);
        } else {
            report.text(out);
        }
    }

    pub(super) fn interval(
        &self,
        out: &mut Vec<u8>,
        reading: &Reading,
        elapsed: Duration,
        since_start: Duration,
    ) {
        if !self.json {
            let _ = writeln!(
                out,
                "\n--- after {:.1} s: the last {:.1} s ---",
                since_start.as_secs_f64(),
                elapsed.as_secs_f64()
            );
        }
        self.show(out, reading, elapsed, false);
    }

    pub(super) fn whole(&self, out: &mut Vec<u8>, reading: &Reading, elapsed: Duration) {
        if !self.json {
            let _ = writeln!(out, "\n=== all {:.1} s ===", elapsed.as_secs_f64());
        }
        self.show(out, reading, elapsed, true);
    }

    pub(super) fn end(&self, out: &mut Vec<u8>, session: &Session, totals: &Totals) {
        let unproven = session.prove().err();
        let skips = session.skips();
        let lost = session.ring.lost();
        if self.json {
            let line = LatencySummary {
                r#type: tag::Summary,
                elapsed_ns: totals.elapsed.as_nanos() as u64,
                slow: totals.slow.unwrap_or(0),
                unfinished: totals.unfinished.values().sum(),
                unfinished_by_function: totals
                    .unfinished
                    .iter()
                    .map(|(function, count)| (function.name().into(), *count))
                    .collect(),
                skips: Skips::of(skips, session.ring.malformed),
                lost_total: lost.total(),
                losses: losses(&lost),
                hash_buckets_before: totals.resized.map(|(before, _)| before),
                hash_buckets_now: totals.resized.map(|(_, now)| now),
                unproven: unproven.as_ref().map(Unproven::of),
            };
            bytes::json_line(out, &line);
            return;
        }
        if let Some(unproven) = unproven {
            message!("{unproven}; calls may be MISSING");
        }
        if let Some(slow) = totals.slow {
            message!(
                "{} slower than --slower-than.",
                plural::count(slow, "call was", "calls were")
            );
        }
        if let Some((before, now)) = totals.resized {
            message!(
                "the table was resized from {before} to {now} buckets: the number of buckets that each garbage collection \
                 run scanned is computed with the old size."
            );
        }
        for (function, count) in &totals.unfinished {
            message!(
                "the return of {} of {} was not recorded: still running, or evicted from the map.",
                plural::count(*count, "call", "calls"),
                function.name()
            );
        }
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
        if session.ring.malformed != 0 {
            message!(
                "{} malformed (please report it).",
                plural::count(session.ring.malformed, "record was", "records were")
            );
        }
        message!("{} lost.", plural::count(lost.total(), "record", "records"));
        let mut kinds = String::new();
        trace_summary::lost_text(&mut kinds, &lost);
        message::write(kinds);
    }
}

/// The reasons why a function is not attached; once, if they are equal for all forms.
fn reasons(of_each_form: &[String]) -> String {
    let bare = |why: &String| match why.split_once(": ") {
        Some(("fentry" | "kprobe", reason)) => reason.to_owned(),
        _ => why.clone(),
    };
    let mut reasons: Vec<String> = of_each_form.iter().map(bare).collect();
    reasons.dedup();
    match reasons.as_slice() {
        [reason] => reason.clone(),
        _ => of_each_form.join("; "),
    }
}

/// Returns whether another attached function measures the same.
fn is_shown(measuring: &Measuring, hook: &probe::hooks::Hook) -> bool {
    let mut hooks = measuring.session.hooks.iter();
    hooks.any(|report| report.how != How::Not && report.hook.shows == hook.shows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_reasons_are_printed_once() {
        let whys = |whys: &[&str]| reasons(&whys.iter().map(|why| (*why).to_owned()).collect::<Vec<_>>());
        assert_eq!(whys(&["fentry: gone", "kprobe: gone"]), "gone");
        assert_eq!(
            whys(&["fentry: gone", "kprobe: refused: x"]),
            "fentry: gone; kprobe: refused: x"
        );
        assert_eq!(whys(&["left out: because"]), "left out: because");
    }
}
