//! How long conntrack takes, as JSON: docs/json.md.

use rsct_common::{
    Tuple,
    latency::Function,
    record::{SlowFlags, SlowRecord},
};
use serde::Serialize;

use super::{bytes, latency::Report, trace_json};
use crate::{
    flow::names,
    kernel::hz::Hz,
    latency::{ERROR_PERCENT, Key, Tally},
    probe::overhead::Overhead,
};

/// The first line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "started")]
pub struct Started<'a> {
    /// When, by the monotonic clock.
    pub time_ns: u64,
    /// By what durations are told apart.
    pub by: &'static str,
    /// The one namespace that is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
    /// The filter's options.
    pub filter: &'a [(&'static str, &'a str)],
    /// By how much quantiles may be off.
    pub error_percent: f64,
    /// How each function is attached to.
    pub hooks: Vec<Hook<'a>>,
    /// What measuring costs.
    pub overhead: OverheadOr<'a>,
}

/// How a function is attached to.
#[derive(Debug, Serialize)]
pub struct Hook<'a> {
    /// The kernel function.
    pub function: &'a str,
    /// `fentry`, `kprobe` or `not attached`.
    pub attached: &'a str,
    /// Why not, or not in the better way.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub why: &'a str,
}

/// What measuring costs, or why that could not be measured.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum OverheadOr<'a> {
    /// It was measured.
    Measured {
        /// Reading the clock.
        clock_ns: f64,
        /// What two programs add to a call.
        pair_ns: u64,
        /// What of that is in each duration.
        shown_ns: u64,
    },
    /// It was not.
    Unknown {
        /// Why.
        unknown: &'a str,
    },
}

impl<'a> From<&'a Result<Overhead, String>> for OverheadOr<'a> {
    fn from(overhead: &'a Result<Overhead, String>) -> Self {
        match overhead {
            Ok(overhead) => Self::Measured {
                clock_ns: (overhead.clock_ns * 10.0).round() / 10.0,
                pair_ns: overhead.pair_ns,
                shown_ns: overhead.shown_ns,
            },
            Err(unknown) => Self::Unknown { unknown },
        }
    }
}

/// A tally's values.
#[derive(Debug, Default, Serialize)]
struct Values {
    count: u64,
    sum: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p90: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p999: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<u64>,
    max_is_exact: bool,
    buckets: Vec<(u64, u64, u64)>,
}

impl Values {
    fn of(tally: &Tally) -> Self {
        let largest = tally.largest();
        Self {
            count: tally.count(),
            sum: tally.sum(),
            p50: tally.quantile(500),
            p90: tally.quantile(900),
            p99: tally.quantile(990),
            p999: tally.quantile(999),
            max: largest.map(|largest| largest.value()),
            max_is_exact: largest.is_none_or(|largest| largest.is_exact()),
            buckets: tally.buckets().collect(),
        }
    }
}

/// What the lines of one span have in common.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Span {
    /// The end of it, by the monotonic clock.
    pub time_ns: u64,
    /// How long it was.
    pub elapsed_ns: u64,
    /// Whether it is all that was measured, and not one interval of it.
    pub whole: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Latency {
        #[serde(flatten)]
        span: Span,
        function: &'a str,
        by: &'a str,
        key: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        number: Option<u32>,
        unit: &'a str,
        #[serde(flatten)]
        values: Values,
    },
    LatencyCounts {
        #[serde(flatten)]
        span: Span,
        function: &'a str,
        tracked_already: u64,
        untracked_already: u64,
    },
    Gc(Box<Gc>),
}

#[derive(Debug, Serialize)]
struct Gc {
    #[serde(flatten)]
    span: Span,
    runs: u64,
    buckets: Values,
    reaped: Values,
    late_jiffies: Values,
    hz: u32,
    evicted: u64,
}

/// Appends an object for each function and key, and what is only counted.
pub fn report(out: &mut Vec<u8>, report: &Report<'_>, span: Span) {
    for function in Function::ALL {
        for (key, tally) in report.reading.of(function) {
            let (by, number) = match key {
                Key::All => ("nothing", None),
                Key::Outcome(_) => ("outcome", None),
                Key::Proto(number) | Key::Hook(number) => (report.by.name(), Some(u32::from(number))),
                Key::Netns(number) | Key::Cpu(number) => (report.by.name(), Some(number)),
            };
            let line = Line::Latency {
                span,
                function: function.name(),
                by,
                key: &report.key(function, key),
                number,
                unit: "ns",
                values: Values::of(tally),
            };
            append(out, &line);
        }
    }
    let counts = &report.reading.counts;
    let line = Line::LatencyCounts {
        span,
        function: Function::ConntrackIn.name(),
        tracked_already: counts.tracked_already,
        untracked_already: counts.untracked_already,
    };
    append(out, &line);
    let gc = &report.reading.gc;
    let hz: Hz = report.hz;
    let line = Line::Gc(Box::new(Gc {
        span,
        runs: report.reading.total(Function::Gc).count(),
        buckets: Values::of(&gc.buckets),
        reaped: Values::of(&gc.reaped),
        late_jiffies: Values::of(&gc.late),
        hz: hz.get(),
        evicted: gc.evicted,
    }));
    append(out, &line);
}

/// Appends the first line.
pub fn started(out: &mut Vec<u8>, line: &Started<'_>) {
    append(out, line);
}

/// By how much quantiles may be off, as JSON has it.
pub const ERROR: f64 = ERROR_PERCENT;

#[derive(Debug, Serialize)]
struct Slow<'a> {
    time_ns: u64,
    function: &'a str,
    outcome: &'a str,
    duration_ns: u64,
    cpu: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifindex: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comm: Option<String>,
    stack: &'a [String],
}

/// Appends something slow. `stack` has the functions that led there, the innermost first.
pub fn slow(out: &mut Vec<u8>, record: &SlowRecord, stack: &[String]) {
    let Some(function) = Function::from_byte(record.function) else {
        return;
    };
    let has = |flag| record.flags & flag != 0;
    let line = Slow {
        time_ns: record.time_ns,
        function: function.name(),
        outcome: Key::outcome(function, record.outcome),
        duration_ns: record.duration_ns,
        cpu: record.cpu,
        hook: has(SlowFlags::HOOK).then(|| names::hook(record.hook)),
        ifindex: has(SlowFlags::HOOK).then_some(record.ifindex),
        netns: (record.netns != 0).then_some(record.netns),
        pid: has(SlowFlags::TASK).then_some(record.pid),
        comm: has(SlowFlags::TASK).then(|| String::from_utf8_lossy(names::comm(&record.comm)).into_owned()),
        stack,
    };
    let mut object = Vec::new();
    append(&mut object, &line);
    out.extend_from_slice(b"{\"type\":\"slow\"");
    if Tuple::from_words(record.tuple).protonum != 0 {
        trace_json::tuple(out, b",\"orig\":{", record.tuple);
    }
    out.push(b',');
    out.extend_from_slice(&object[1..]);
}

fn append(out: &mut Vec<u8>, line: &impl Serialize) {
    // Writing to a Vec can't fail, and neither can numbers and text.
    bytes::json_object(out, line);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        kernel::interfaces::Names,
        latency::{By, Reading, tally_of},
        render::color::Palette,
    };

    fn lines(out: &[u8]) -> Vec<Value> {
        out.split_inclusive(|byte| *byte == b'\n')
            .map(|line| serde_json::from_slice(line).expect("an object a line"))
            .collect()
    }

    #[test]
    fn a_reading_is_an_object_for_each_key() {
        let mut reading = Reading::default();
        reading
            .durations
            .insert((Function::ConntrackIn, Key::Proto(17)), tally_of(&[5, 7]));
        reading
            .durations
            .insert((Function::Lock, Key::All), tally_of(&[1000]));
        let report_of = Report {
            reading: &reading,
            by: By::Proto,
            hz: Hz::of_running_kernel().unwrap(),
            names: &Names::default(),
            bars: false,
            palette: Palette::PLAIN,
        };
        let span = Span {
            time_ns: 9,
            elapsed_ns: 8,
            whole: true,
        };
        let mut out = Vec::new();
        report(&mut out, &report_of, span);
        let lines = lines(&out);
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines[0],
            serde_json::json!({
                "type": "latency", "time_ns": 9, "elapsed_ns": 8, "whole": true, "function": "nf_conntrack_in",
                "by": "proto", "key": "udp", "number": 17, "unit": "ns", "count": 2, "sum": 12, "p50": 5, "p90": 7,
                "p99": 7, "p999": 7, "max": 7, "max_is_exact": true, "buckets": [[5, 6, 1], [7, 8, 1]],
            })
        );
        assert_eq!(
            (&lines[1]["by"], &lines[1]["key"]),
            (&"nothing".into(), &"all".into())
        );
        assert_eq!(lines[2]["type"], "latency_counts");
        assert_eq!(lines[3]["type"], "gc");
        assert_eq!(lines[3]["late_jiffies"]["count"], 0);
        assert!(lines[3]["late_jiffies"].get("p50").is_none());
    }

    #[test]
    fn what_is_not_known_of_something_slow_is_left_out() {
        let mut record = SlowRecord {
            kind: rsct_common::record::kind::SLOW,
            function: Function::Lock as u8,
            outcome: 0,
            hook: 0,
            cpu: 1,
            flags: 0,
            time_ns: 5,
            duration_ns: 6,
            netns: 0,
            ifindex: 0,
            pid: 0,
            stack_bytes: 0,
            comm: [0; 16],
            tuple: [0; 5],
            stack: [0; rsct_common::record::STACK_DEPTH],
        };
        let mut out = Vec::new();
        slow(&mut out, &record, &["spin+0x1".to_owned()]);
        record.function = Function::ConntrackIn as u8;
        record.flags = SlowFlags::HOOK | SlowFlags::TASK;
        record.pid = 7;
        record.comm[..2].copy_from_slice(b"nc");
        record.tuple = Tuple {
            l3num: 2_u16.to_ne_bytes(),
            protonum: 17,
            ..Tuple::default()
        }
        .to_words();
        slow(&mut out, &record, &[]);
        // What is no function is nothing at all.
        record.function = 200;
        slow(&mut out, &record, &[]);
        let lines = lines(&out);
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0],
            serde_json::json!({
                "type": "slow", "time_ns": 5, "function": "nf_conntrack_lock", "outcome": "all", "duration_ns": 6,
                "cpu": 1, "stack": ["spin+0x1"],
            })
        );
        assert_eq!(lines[1]["outcome"], "created");
        assert_eq!((&lines[1]["pid"], &lines[1]["comm"]), (&7.into(), &"nc".into()));
        assert_eq!(lines[1]["hook"], "PRE_ROUTING");
        assert!(lines[1]["orig"]["proto"].is_string(), "{}", lines[1]);
    }
}
