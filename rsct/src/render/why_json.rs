//! An answer of `rsct why` for programs: one JSON object, described in docs/json.md.

use rsct_common::{
    Tuple,
    record::{CauseFlags, CauseRecord},
};

use crate::{
    causes::{
        Answer, Cause,
        counters::CounterCheck,
        tally::{CauseTally, hook, spread},
        top::Top,
        window::Miss,
    },
    names,
    schema::{
        common::{
            InNetns, Requester, Skips, Task, Unproven, Word, losses_of_all_cpus, state_name, status_names,
        },
        tag,
        why::{
            self, CauseCount, Comparison, Example, FlowCount, InterfaceCount, NamespaceCount, PlaceCount,
            Spread, TaskCount, Unseen,
        },
    },
};

use super::{bytes, why_details_json as details};

/// Appends the answer.
pub(crate) fn answer(out: &mut Vec<u8>, answer: &Answer<'_>) {
    let causes = &answer.causes;
    let unseen = answer.unseen.iter().map(|unseen| Unseen {
        function: &unseen.function,
        shows: &unseen.shows,
        reason: &unseen.why,
    });
    let object = why::Answer {
        r#type: tag::Why,
        topic: answer.topic,
        elapsed_ns: answer.elapsed.as_nanos() as u64,
        count: causes.iter().map(|cause| cause.count).sum(),
        filtered: answer.filtered,
        comparisons: answer.held.iter().map(comparison).collect(),
        causes: causes.iter().map(|tally| cause(answer, tally)).collect(),
        losses: losses_of_all_cpus(&answer.lost),
        skips: Skips::of(answer.skips, answer.malformed),
        unseen: unseen.collect(),
        unproven: answer.unproven.as_ref().map(Unproven::of),
    };
    bytes::json_line(out, &object);
}

fn comparison(held: &CounterCheck) -> Comparison<'_> {
    Comparison {
        what: held.what,
        counted: held.ours,
        kernel_counters: held
            .counters
            .iter()
            .map(|(name, growth)| (Word::from(*name), *growth))
            .collect(),
        others_too: held.others_too,
        agree: held.unknown.is_none().then(|| held.agrees()),
        reason: held.unknown.as_deref(),
    }
}

fn cause<'a>(answer: &Answer<'a>, tally: &'a CauseTally) -> CauseCount<'a> {
    let seconds = answer.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let namespaces = tally.namespaces.iter().map(|(netns, count)| NamespaceCount {
        netns: InNetns::of(answer.names, *netns),
        count: *count,
    });
    let places = tally
        .places
        .iter()
        .map(|(place, count)| PlaceCount { place, count: *count });
    let spread = spread(&tally.misses).map(|(least, median, most)| Spread {
        min: least.into(),
        median: median.into(),
        max: most.into(),
    });
    let longest = tally.longest.iter().take(answer.most);
    let listeners = tally.listeners.iter().take(answer.most);
    CauseCount {
        cause: tally.cause.name(),
        meaning: tally.cause.meaning(),
        advice: tally.cause.advice(),
        count: tally.count,
        per_second: (tally.count as f64 / seconds).min(f64::MAX),
        recorded: tally.recorded,
        namespaces: namespaces.collect(),
        places: places.collect(),
        top_flows: list(answer, &tally.flows, |flow, count| FlowCount {
            netns: InNetns::of(answer.names, flow.netns),
            zone: flow.zone,
            orig: flow.tuple.into(),
            count,
        }),
        interfaces: list(answer, &tally.ports, |port, count| InterfaceCount {
            netns: port.netns.into(),
            ifindex: port.ifindex,
            interface: details::interface(answer.names, port.netns, port.ifindex),
            hook: names::hook(port.hook).into(),
            count,
        }),
        tasks: list(answer, &tally.tasks, |task, count| TaskCount {
            task: Task::of(task.pid, &task.comm),
            count,
        }),
        missed_bytes_spread: spread,
        attempts_histogram: details::histogram(&tally.spread.attempts),
        duration_ns_histogram: details::histogram(&tally.spread.nanoseconds),
        longest: longest.map(|record| details::search(answer, record)).collect(),
        listeners: listeners
            .map(|(listener, count)| details::listener(answer, *listener, *count))
            .collect(),
        example: tally
            .example
            .as_ref()
            .map(|record| Box::new(example(answer, tally.cause, record))),
    }
}

fn list<K: Eq + std::hash::Hash + Clone + Ord, T>(
    answer: &Answer<'_>,
    top: &Top<K>,
    object: impl Fn(&K, u64) -> T,
) -> Vec<T> {
    let items = top.first(answer.most).into_iter();
    items.map(|(item, count)| object(&item, count)).collect()
}

fn example(answer: &Answer<'_>, cause: Cause, record: &CauseRecord) -> Example {
    let has = |flag| record.flags & flag != 0;
    let tuple = |words| {
        let tuple = Tuple::from_words(words);
        (tuple != Tuple::default()).then(|| (&tuple).into())
    };
    let protonum = Tuple::from_words(record.tuple).protonum;
    let has_entry = has(CauseFlags::ENTRY);
    let miss = match cause {
        Cause::Invalid(cause) => Miss::of(cause, &record.numbers),
        _ => None,
    };
    let stack = answer.symbols.functions(&record.stack);
    Example {
        time_ns: record.time_ns,
        cpu: record.cpu.into(),
        netns: record.netns.into(),
        orig: tuple(record.tuple),
        reply: tuple(record.other),
        ifindex: (record.ifindex != 0).then_some(record.ifindex),
        hook: hook(record, answer.symbols).map(|hook| names::hook(hook).into()),
        tcp_flags: has(CauseFlags::TCP).then_some(record.tcp_flags),
        status: has_entry.then(|| status_names(record.status)),
        state: has_entry.then(|| state_name(protonum, record.state)).flatten(),
        timeout_ms: has_entry.then(|| i64::from(record.left_jiffies) * 1000 / i64::from(answer.ticks.get())),
        task: has(CauseFlags::TASK).then(|| Task::of(record.pid, &record.comm)),
        requester: Requester::of(record.portid),
        clashed_with: details::rival(record),
        stack: stack.map(|place| place.to_string()).collect(),
        out_of_window: miss.map(Into::into),
    }
}
