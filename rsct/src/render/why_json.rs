//! An answer of `rsct why` for programs: one JSON object, described in docs/json.md.

use rsct_common::{
    Tuple,
    loss::Loss,
    record::{CauseFlags, CauseRecord},
};
use serde_json::{Value, json};

use crate::{
    causes::{
        Answer, Cause,
        counters::CounterCheck,
        tally::{CauseTally, FlowName, hook, spread},
        top::Top,
        window::Miss,
    },
    flow::names,
};

use super::{bytes, why_details_json};

/// Appends the answer.
pub fn answer(out: &mut Vec<u8>, answer: &Answer<'_>) {
    let causes = &answer.causes;
    let total: u64 = causes.iter().map(|cause| cause.count).sum();
    let lost: serde_json::Map<String, Value> = Loss::ALL
        .iter()
        .map(|loss| (loss.name(), answer.lost.of(*loss as usize)))
        .filter(|(_, count)| *count != 0)
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect();
    let unseen: Vec<Value> = answer
        .unseen
        .iter()
        .map(|unseen| json!({"function": unseen.function, "shows": unseen.shows, "why": unseen.why}))
        .collect();
    let mut whole = json!({
        "type": "why",
        "topic": answer.topic,
        "duration_ns": answer.elapsed.as_nanos() as u64,
        "total": total,
        "filtered": answer.filtered,
        "counters": answer.held.iter().map(held).collect::<Vec<_>>(),
        "causes": causes.iter().map(|tally| cause(answer, tally)).collect::<Vec<_>>(),
        "lost": lost,
        "skipped": answer.skips.counted,
        "malformed": answer.malformed,
        "unseen": unseen,
    });
    if let Some(unproven) = &answer.unproven {
        whole["programs"] = json!({"run": unproven.run(), "why": unproven.to_string()});
    }
    if answer.skips.uncounted {
        whole["skips_uncounted"] = json!(true);
    }
    bytes::json_object(out, &whole);
    out.push(b'\n');
}

fn held(held: &CounterCheck) -> Value {
    let kernel: serde_json::Map<String, Value> = held
        .counters
        .iter()
        .map(|(name, growth)| ((*name).to_owned(), json!(growth)))
        .collect();
    let mut object = json!({
        "what": held.what,
        "counted": held.ours,
        "kernel": kernel,
        "others_too": held.others_too,
        "agree": held.unknown.is_none().then(|| held.agrees()),
    });
    if let Some(why) = &held.unknown {
        object["unknown"] = json!(why);
    }
    object
}

fn cause(answer: &Answer<'_>, tally: &CauseTally) -> Value {
    let seconds = answer.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let mut object = json!({
        "name": tally.cause.name(),
        "meaning": tally.cause.meaning(),
        "advice": tally.cause.advice(),
        "count": tally.count,
        "per_second": tally.count as f64 / seconds,
        "recorded": tally.recorded,
        "namespaces": tally.namespaces.iter().map(|(netns, count)| json!({
            "netns": netns, "name": answer.names.netns(*netns), "count": count,
        })).collect::<Vec<_>>(),
        "places": tally.places.iter().map(|(place, count)| json!({
            "place": place, "count": count,
        })).collect::<Vec<_>>(),
        "flows": list(answer, &tally.flows, |flow| flow_name(answer, flow)),
        "interfaces": list(answer, &tally.ports, |port| json!({
            "netns": port.netns,
            "ifindex": port.ifindex,
            "name": answer.names.interface(port.netns, port.ifindex),
            "hook": names::hook(port.hook),
        })),
        "tasks": list(answer, &tally.tasks, |task| json!({
            "pid": task.pid, "comm": String::from_utf8_lossy(names::comm(&task.comm)),
        })),
    });
    if let Some((least, median, most)) = spread(&tally.misses) {
        object["missed_bytes"] = json!({"min": least, "median": median, "max": most});
    }
    why_details_json::add(&mut object, answer, tally);
    if let Some(record) = &tally.example {
        object["example"] = example(answer, tally.cause, record);
    }
    object
}

fn list<K: Eq + std::hash::Hash + Clone + Ord>(
    answer: &Answer<'_>,
    top: &Top<K>,
    object: impl Fn(&K) -> Value,
) -> Value {
    let items = top.first(answer.most).into_iter().map(|(item, count)| {
        let mut object = object(&item);
        object["count"] = json!(count);
        object
    });
    items.collect()
}

fn flow_name(answer: &Answer<'_>, flow: &FlowName) -> Value {
    json!({
        "netns": flow.netns,
        "name": answer.names.netns(flow.netns),
        "zone": flow.zone,
        "orig": tuple(&Tuple::from_words(flow.tuple)),
    })
}

/// A tuple as the trace writes it.
pub(super) fn tuple(tuple: &Tuple) -> Value {
    let mut object = json!({
        "proto": names::proto::name(tuple.protonum).map_or_else(|| json!(tuple.protonum), |name| json!(name)),
        "src": tuple.src_addr().to_string(),
        "dst": tuple.dst_addr().to_string(),
    });
    if names::proto::has_ports(tuple.protonum) {
        object["sport"] = json!(tuple.src_port());
        object["dport"] = json!(tuple.dst_port());
    } else if names::proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        object["type"] = json!(kind);
        object["code"] = json!(code);
        object["id"] = json!(tuple.src_port());
    }
    object
}

fn example(answer: &Answer<'_>, cause: Cause, record: &CauseRecord) -> Value {
    let orig = Tuple::from_words(record.tuple);
    let mut object = json!({
        "time_ns": record.time_ns,
        "cpu": record.cpu,
        "netns": record.netns,
    });
    if orig != Tuple::default() {
        object["orig"] = tuple(&orig);
    }
    let other = Tuple::from_words(record.other);
    if other != Tuple::default() {
        object["reply"] = tuple(&other);
    }
    if record.ifindex != 0 {
        object["ifindex"] = json!(record.ifindex);
    }
    if let Some(hook) = hook(record, answer.symbols) {
        object["hook"] = json!(names::hook(hook));
    }
    if record.flags & CauseFlags::TCP != 0 {
        object["tcp_flags"] = json!(record.tcp_flags);
    }
    if record.flags & CauseFlags::ENTRY != 0 {
        object["status"] = names::status::names(record.status).collect();
        if let Some(state) = names::state(orig.protonum, record.state) {
            object["state"] = json!(state);
        }
        object["left_ms"] = json!(i64::from(record.left_jiffies) * 1000 / i64::from(answer.ticks.0));
    }
    if record.flags & CauseFlags::TASK != 0 {
        object["pid"] = json!(record.pid);
        object["comm"] = json!(String::from_utf8_lossy(names::comm(&record.comm)));
    }
    if record.portid != 0 {
        object["portid"] = json!(record.portid);
    }
    why_details_json::rival(&mut object, record);
    let stack: Vec<String> = answer
        .symbols
        .functions(&record.stack)
        .map(|place| place.to_string())
        .collect();
    if !stack.is_empty() {
        object["stack"] = json!(stack);
    }
    if let Cause::Invalid(cause) = cause
        && let Some(miss) = Miss::of(cause, &record.numbers)
    {
        object["window"] = json!({"value": miss.value, "bound": miss.bound, "missed_bytes": miss.bytes});
    }
    object
}
