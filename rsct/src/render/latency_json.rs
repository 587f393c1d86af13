//! Conntrack's latency as JSON.

use rsct_common::{
    Tuple,
    latency::Function,
    record::{SlowFlags, SlowRecord},
};

use super::{bytes::json_line, latency::Report};
use crate::{
    kernel::hz::Hz,
    latency::{Key, Overhead, Tally},
    names,
    schema::{
        common::{Step, Task},
        latency::{self as schema, Gc, Latency, LatencyCounts, Slow, Span, Values},
        tag,
    },
};

/// The cost of the measurement, or why it is unknown.
pub(crate) fn overhead(overhead: &Result<Overhead, String>) -> schema::Overhead<'_> {
    match overhead {
        Ok(overhead) => schema::Overhead {
            clock_ns: Some((overhead.clock_ns * 10.0).round() / 10.0),
            pair_ns: Some(overhead.pair_ns),
            shown_ns: Some(overhead.shown_ns),
            reason: None,
        },
        Err(reason) => schema::Overhead {
            reason: Some(reason),
            ..schema::Overhead::default()
        },
    }
}

fn values(tally: &Tally) -> Values {
    let largest = tally.largest();
    let step = |(from, to, count)| Step {
        from,
        to: Some(to),
        count,
    };
    Values {
        count: tally.count(),
        sum: tally.sum(),
        p50: tally.quantile(500),
        p90: tally.quantile(900),
        p99: tally.quantile(990),
        p999: tally.quantile(999),
        max: largest.map(|largest| largest.value()),
        max_is_exact: largest.is_none_or(|largest| largest.is_exact()),
        histogram: tally.buckets().map(step).collect(),
    }
}

/// Appends an object for each function and key, one for the packets that are only counted, and one for garbage
/// collection.
pub(crate) fn report(out: &mut Vec<u8>, report: &Report<'_>, span: Span) {
    for function in Function::ALL {
        for (key, tally) in report.reading.of(function) {
            let (by, number) = match key {
                Key::All => ("nothing", None),
                Key::Outcome(_) => ("outcome", None),
                Key::Proto(number) | Key::Hook(number) => (report.by.name(), Some(u32::from(number))),
                Key::Netns(number) | Key::Cpu(number) => (report.by.name(), Some(number)),
            };
            let line = Latency {
                r#type: tag::Latency,
                span,
                function: function.name(),
                by,
                key: &report.key(function, key),
                number,
                durations_ns: values(tally),
            };
            json_line(out, &line);
        }
    }
    let counts = &report.reading.counts;
    let line = LatencyCounts {
        r#type: tag::LatencyCounts,
        span,
        function: Function::ConntrackIn.name(),
        tracked_already: counts.tracked_already,
        untracked_already: counts.untracked_already,
    };
    json_line(out, &line);
    let gc = &report.reading.gc;
    let hz: Hz = report.hz;
    let line = Gc {
        r#type: tag::Gc,
        span,
        runs: report.reading.total(Function::Gc).count(),
        hash_buckets: values(&gc.buckets),
        reaped: values(&gc.reaped),
        late_jiffies: values(&gc.late),
        hz: hz.get(),
        evicted: gc.evicted,
    };
    json_line(out, &line);
}

/// Appends a slow call. `stack` has the functions that called it, the innermost first.
pub(crate) fn slow(out: &mut Vec<u8>, record: &SlowRecord, stack: &[String]) {
    let Some(function) = Function::from_byte(record.function) else {
        return;
    };
    let has = |flag| record.flags & flag != 0;
    let orig = Tuple::from_words(record.tuple);
    let line = Slow {
        r#type: tag::Slow,
        time_ns: record.time_ns,
        function: function.name(),
        outcome: Key::outcome(function, record.outcome),
        duration_ns: record.duration_ns,
        cpu: record.cpu,
        hook: has(SlowFlags::HOOK).then(|| names::hook(record.hook).into()),
        ifindex: has(SlowFlags::HOOK).then_some(record.ifindex),
        netns: (record.netns != 0).then_some(record.netns.into()),
        orig: (orig.protonum != 0).then(|| (&orig).into()),
        task: has(SlowFlags::TASK).then(|| Task::of(record.pid, &record.comm)),
        stack,
    };
    json_line(out, &line);
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
                "by": "proto", "key": "udp", "number": 17,
                "durations_ns": {
                    "count": 2, "sum": 12, "p50": 5, "p90": 7, "p99": 7, "p999": 7, "max": 7, "max_is_exact": true,
                    "histogram": [{"from": 5, "to": 6, "count": 1}, {"from": 7, "to": 8, "count": 1}],
                },
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
    fn unknown_members_of_a_slow_call_are_absent() {
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
        // A number that is no function is no line.
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
