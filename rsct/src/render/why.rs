//! An answer of `rsct why`, for people.

use std::io::Write as _;

use rsct_common::{
    Tuple,
    record::{CauseFlags, CauseRecord},
};

use crate::{
    causes::{
        Answer, Cause,
        counters::CounterCheck,
        nat::NatCause,
        tally::{CauseTally, FlowName, TaskName, spread},
        window::Miss,
    },
    flow::HookPoint,
    names, outside, plural,
};

use super::{color::Palette, why_details, words};

/// Appends the answer.
pub(crate) fn text(out: &mut Vec<u8>, answer: &Answer<'_>, palette: Palette) {
    let causes = &answer.causes;
    let total: u64 = causes.iter().map(|cause| cause.count).sum();
    heading(out, answer, total);
    for held in &answer.held {
        side_by_side(out, held);
    }
    for tally in causes {
        out.push(b'\n');
        cause(out, answer, tally, total, palette);
    }
    unseen(out, answer);
}

fn heading(out: &mut Vec<u8>, answer: &Answer<'_>, total: u64) {
    let seconds = answer.elapsed.as_secs_f64();
    let _ = write!(
        out,
        "{} in {seconds:.1} s ({:.1}/s)",
        plural::count(total, answer.things[0], answer.things[1]),
        total as f64 / seconds.max(f64::MIN_POSITIVE)
    );
    if answer.filtered {
        out.extend_from_slice(b", of those that match the filter");
    }
    out.push(b'\n');
}

fn side_by_side(out: &mut Vec<u8>, held: &CounterCheck) {
    let counters: Vec<String> = held
        .counters
        .iter()
        .map(|(name, growth)| format!("{name} +{growth}"))
        .collect();
    let verdict = match (&held.unknown, held.agrees(), held.others_too) {
        (Some(why), ..) => &format!("not comparable ({why})"),
        (None, true, false) => "they agree",
        (None, true, true) => "they agree (other code also increments this counter)",
        (None, false, _) => "they DIFFER",
    };
    let _ = writeln!(
        out,
        "{}: {} here, {} in the kernel: {verdict}",
        held.what,
        held.ours,
        counters.join(", ")
    );
}

fn cause(out: &mut Vec<u8>, answer: &Answer<'_>, tally: &CauseTally, total: u64, palette: Palette) {
    let seconds = answer.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let _ = write!(
        out,
        "{:>8}  {:>5.1} %  {:>8.1}/s  ",
        tally.count,
        100.0 * tally.count as f64 / total as f64,
        tally.count as f64 / seconds
    );
    palette.paint(out, palette.strong, tally.cause.name().as_bytes());
    let _ = writeln!(out, ": {}", tally.cause.meaning());
    label(out, "do");
    let _ = writeln!(out, "{}", tally.cause.advice());
    for (place, count) in tally.places.iter().take(answer.most) {
        label(out, "kernel");
        let _ = writeln!(out, "{count:>6}  {}", outside::shown(place.as_bytes()));
    }
    if let Some((least, median, most)) = spread(&tally.misses) {
        label(out, "missed by");
        let _ = writeln!(out, "{least} to {most} bytes, median {median}");
    }
    if !tally.spread.attempts.is_empty() {
        for (name, spread) in why_details::spread(&tally.spread) {
            label(out, name);
            let _ = writeln!(out, "{spread}");
        }
    }
    for (index, record) in tally.longest.iter().take(answer.most).enumerate() {
        label(out, if index == 0 { "longest" } else { "" });
        why_details::search(out, answer, record);
        out.push(b'\n');
    }
    let listeners: Vec<_> = tally.listeners.iter().take(answer.most).copied().collect();
    list(out, "listeners", &listeners, |out, listener| {
        why_details::listener(out, answer, listener);
    });
    list(out, "flows", &tally.flows.first(answer.most), |out, flow| {
        flow_name(out, answer, flow);
    });
    rest(out, tally.flows.kinds(), answer.most, tally.flows.others);
    if tally.namespaces.len() > 1 {
        let namespaces: Vec<(u32, u64)> = tally.namespaces.iter().take(answer.most).copied().collect();
        list(out, "namespaces", &namespaces, |out, netns| {
            out.extend_from_slice(answer.names.netns(*netns).to_string().as_bytes());
        });
    }
    list(out, "interfaces", &tally.ports.first(answer.most), |out, at| {
        port(out, answer, at);
    });
    list(out, "tasks", &tally.tasks.first(answer.most), task);
    if let Some(record) = &tally.example {
        label(out, "example");
        example(out, answer, tally.cause, record);
        out.push(b'\n');
    }
    // Untranslated packets are only counted.
    if tally.recorded < tally.count && tally.cause != Cause::Nat(NatCause::Unchanged) {
        label(out, "");
        let _ = writeln!(
            out,
            "of {}, {} {}: flows, interfaces and tasks are from these",
            tally.count,
            tally.recorded,
            plural::choose(&tally.recorded, "was recorded", "were recorded")
        );
    } else if let Some(later @ 1..) = tally.recorded.checked_sub(tally.count) {
        label(out, "");
        let _ = writeln!(
            out,
            "{later} more {} recorded after the counters were read",
            plural::choose(&later, "was", "were")
        );
    }
}

fn label(out: &mut Vec<u8>, label: &str) {
    let _ = write!(out, "          {label:<11}");
}

fn list<K>(out: &mut Vec<u8>, name: &str, items: &[(K, u64)], write: impl Fn(&mut Vec<u8>, &K)) {
    for (index, (item, count)) in items.iter().enumerate() {
        label(out, if index == 0 { name } else { "" });
        let _ = write!(out, "{count:>6}  ");
        write(out, item);
        out.push(b'\n');
    }
}

/// The items that are not listed.
fn rest(out: &mut Vec<u8>, kinds: usize, shown: usize, others: u64) {
    if kinds > shown {
        label(out, "");
        let _ = write!(out, "        and {} more", kinds - shown);
        if others != 0 {
            let _ = write!(
                out,
                " (and {} of further flows)",
                plural::count(others, "record", "records")
            );
        }
        out.push(b'\n');
    }
}

/// `server udp 10.0.0.1:1 > 10.0.0.2:2 zone 3`
pub(super) fn flow_name(out: &mut Vec<u8>, answer: &Answer<'_>, flow: &FlowName) {
    let _ = write!(out, "{} ", answer.names.netns(flow.netns));
    let tuple = Tuple::from_words(flow.tuple);
    words::tuple(out, &tuple);
    if flow.zone != 0 {
        let _ = write!(out, " zone {}", flow.zone);
    }
}

fn port(out: &mut Vec<u8>, answer: &Answer<'_>, port: &HookPoint) {
    match answer.names.interface(port.netns, port.ifindex) {
        Some(name) => out.extend_from_slice(name.to_string().as_bytes()),
        None => {
            let _ = write!(out, "interface {}", port.ifindex);
        }
    }
    let _ = write!(
        out,
        " of {} at {}",
        answer.names.netns(port.netns),
        names::hook(port.hook)
    );
}

fn task(out: &mut Vec<u8>, task: &TaskName) {
    words::task(out, "", &task.comm, task.pid);
}

fn example(out: &mut Vec<u8>, answer: &Answer<'_>, cause: Cause, record: &CauseRecord) {
    let tuple = Tuple::from_words(record.tuple);
    if tuple != Tuple::default() {
        words::tuple(out, &tuple);
    }
    if record.flags & CauseFlags::TCP != 0 {
        out.extend_from_slice(b" [");
        words::tcp_flags(out, record.tcp_flags);
        out.push(b']');
    }
    if record.flags & CauseFlags::ENTRY != 0 {
        if let Some(state) = names::state(tuple.protonum, record.state) {
            let _ = write!(out, " {state}");
        }
        let status: Vec<&str> = names::status::names(record.status).collect();
        let _ = write!(out, " [{}]", status.join(","));
        let left_ms = i64::from(record.left_jiffies) * 1000 / i64::from(answer.ticks.get());
        if left_ms > 0 {
            out.extend_from_slice(b", ");
            words::milliseconds(out, left_ms);
            out.extend_from_slice(b" left");
        } else {
            let _ = write!(out, ", expired {} ms ago", -left_ms);
        }
    }
    why_details::rival(out, record);
    if record.flags & CauseFlags::TASK != 0 {
        words::task(out, ", by ", &record.comm, record.pid);
    }
    if let Cause::Invalid(cause) = cause
        && let Some(miss) = Miss::of(cause, &record.numbers)
    {
        let _ = write!(
            out,
            ", {} misses the bound {} by {} bytes",
            miss.value, miss.bound, miss.bytes
        );
    }
}

fn unseen(out: &mut Vec<u8>, answer: &Answer<'_>) {
    for unseen in &answer.unseen {
        let _ = writeln!(
            out,
            "\nnot reported on this kernel: {} ({}: {})",
            unseen.shows, unseen.function, unseen.why
        );
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use rsct_common::record::{CauseCount, CauseFamily, TEXT_BYTES, what, window};
    use serde_json::Value;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::{
        causes::{KeyCount, tally::CauseTotals},
        kernel::{hz::Hz, interfaces::Names, text::Symbols},
        records::{Lost, Skips},
        render::why_json,
        schema::{Command, Validator},
    };

    const SAID: &[u8] = b"SEQ is over upper bound %u (over the window of the receiver)";

    /// Segments out of their window: `count` by the counters, and `recorded` records.
    fn tally(symbols: &Symbols, count: u64, recorded: u64) -> CauseTotals {
        let mut text = [0; TEXT_BYTES];
        text[..SAID.len()].copy_from_slice(SAID);
        let orig = Tuple {
            src: [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            dst: [10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            src_l4: 4001_u16.to_be_bytes(),
            dst_l4: 80_u16.to_be_bytes(),
            l3num: 2_u16.to_ne_bytes(),
            protonum: 6,
            dir: 0,
        };
        let mut record = CauseRecord {
            family: CauseFamily::Invalid as u8,
            what: what::INVALID_LOGGED,
            flags: CauseFlags::WINDOW | CauseFlags::TCP | CauseFlags::HOOK,
            tcp_flags: 16,
            ifindex: 2,
            netns: 7,
            tuple: orig.to_words(),
            text,
            ..CauseRecord::new_zeroed()
        };
        record.numbers[window::SEQ] = 5000;
        record.numbers[window::SENDER_MAXEND] = 2000;
        let mut tally = CauseTotals::default();
        for _ in 0..recorded {
            tally.record(&record, symbols);
        }
        let counted = KeyCount {
            key: record.key(),
            count: CauseCount { count, text },
        };
        tally.counted(&[counted], &[], symbols);
        tally
    }

    fn with_answer(count: u64, recorded: u64, then: impl FnOnce(&Answer<'_>)) {
        let symbols = Symbols::default();
        let names = Names::default();
        let tally = tally(&symbols, count, recorded);
        then(&Answer {
            topic: "invalid",
            things: ["packet is INVALID", "packets are INVALID"],
            elapsed: Duration::from_secs(10),
            causes: tally.causes(|_| true),
            held: vec![CounterCheck {
                what: "INVALID packets",
                counters: vec![("invalid", count)],
                ours: count,
                others_too: false,
                unknown: None,
            }],
            filtered: false,
            counts_records: false,
            unseen: Vec::new(),
            unproven: None,
            lost: Lost::default(),
            skips: Skips::default(),
            malformed: 0,
            names: &names,
            symbols: &symbols,
            listeners: &HashMap::new(),
            ticks: Hz::new(250).unwrap(),
            most: 5,
        });
    }

    fn printed(answer: &Answer<'_>) -> String {
        let mut out = Vec::new();
        text(&mut out, answer, Palette::PLAIN);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_has_counts_causes_flows_and_advice() {
        with_answer(3, 1, |answer| {
            let printed = printed(answer);
            for part in [
                "3 packets are INVALID in 10.0 s (0.3/s)\n",
                "3 here, invalid +3 in the kernel: they agree\n",
                "seq_over: TCP: the segment lies beyond",
                "  3000 to 3000 bytes, median 3000\n",
                "     1  7 tcp 10.0.0.1:4001 > 10.0.0.2:80\n",
                "     1  interface 2 of 7 at PRE_ROUTING\n",
                "[ACK], 5000 misses the bound 2000 by 3000 bytes\n",
                "of 3, 1 was recorded: ",
            ] {
                assert!(printed.contains(part), "{part:?} is not in\n{printed}");
            }
        });
    }

    #[test]
    fn records_after_the_counters_were_read_have_their_own_line() {
        for (recorded, expected) in [
            (1, "of 2, 1 was recorded: "),
            (2, ""),
            (3, "1 more was recorded after the counters were read\n"),
            (4, "2 more were recorded after the counters were read\n"),
        ] {
            with_answer(2, recorded, |answer| {
                let printed = printed(answer);
                assert!(printed.contains("2 packets are INVALID"), "{printed}");
                assert!(printed.contains(expected), "{printed}");
                let has_line = printed.contains("of 2, ") || printed.contains(" more w");
                assert_eq!(has_line, !expected.is_empty(), "{printed}");
            });
        }
    }

    #[test]
    fn json_has_the_same() {
        with_answer(3, 1, |answer| {
            let mut out = Vec::new();
            why_json::answer(&mut out, answer);
            let object: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(Validator::of(Command::Why).validate(&object), Ok(()));
            assert_eq!(object["count"], 3);
            assert_eq!(object["comparisons"][0]["agree"], true);
            let cause = &object["causes"][0];
            assert_eq!(cause["cause"], "seq_over");
            assert_eq!(
                (&cause["count"], &cause["recorded"]),
                (&Value::from(3), &Value::from(1))
            );
            assert_eq!(cause["top_flows"][0]["orig"]["sport"], 4001);
            assert_eq!(cause["example"]["out_of_window"]["missed_bytes"], 3000);
            assert_eq!(cause["missed_bytes_spread"]["median"], 3000);
        });
    }
}
