//! What an answer of `rsct why` says beside counts and flows, for programs.

use rsct_common::{
    Tuple,
    record::{CauseFlags, CauseRecord},
};
use serde_json::{Value, json};

use crate::causes::{
    Answer, lost,
    nat::{Search, Steps, range_of},
    tally::CauseTally,
};

use super::{why_details::chosen, why_json::tuple};

/// Adds what the cause's family has.
pub(super) fn add(object: &mut Value, answer: &Answer<'_>, tally: &CauseTally) {
    if !tally.spread.attempts.is_empty() {
        object["attempts"] = steps(&tally.spread.attempts);
        object["duration_ns"] = steps(&tally.spread.nanoseconds);
    }
    if !tally.longest.is_empty() {
        let longest = tally.longest.iter().take(answer.most);
        object["longest"] = longest.map(|record| search(answer, record)).collect();
    }
    if !tally.listeners.is_empty() {
        let listeners = tally.listeners.iter().take(answer.most);
        object["listeners"] = listeners
            .map(|(listener, count)| {
                json!({
                    "netns": listener.netns,
                    "name": answer.names.netns(listener.netns),
                    "portid": listener.portid,
                    "progname": answer.listeners.get(&(listener.netns, listener.portid)),
                    "event": lost::event(listener.kind).to_lowercase(),
                    "count": count,
                })
            })
            .collect();
    }
}

/// How often between one power of two and the next.
fn steps(steps: &Steps) -> Value {
    steps
        .iter()
        .map(|(step, count)| {
            let (least, most) = range_of(*step);
            json!({"from": least, "to": most, "count": count})
        })
        .collect()
}

fn search(answer: &Answer<'_>, record: &CauseRecord) -> Value {
    let search = Search::of(record);
    let (address, port) = chosen(record);
    let mut object = json!({
        "netns": record.netns,
        "name": answer.names.netns(record.netns),
        "orig": tuple(&Tuple::from_words(record.tuple)),
        "reply": tuple(&Tuple::from_words(record.other)),
        "changes": if search.source { "source" } else { "destination" },
        "attempts": search.attempts,
        "taken": search.taken,
        "duration_ns": search.duration_ns,
        "flags": search.flag_names().collect::<Vec<_>>(),
        "got": {"address": address.to_string(), "port": port},
    });
    if let Some((least, most)) = search.addresses {
        object["addresses"] = json!({"min": least.to_string(), "max": most.to_string()});
    }
    if let Some((least, most)) = search.ports {
        object["ports"] = json!({"min": least, "max": most});
    }
    object
}

/// The entry that was there first.
pub(super) fn rival(object: &mut Value, record: &CauseRecord) {
    if record.flags & CauseFlags::CLASH != 0 {
        object["first"] = json!({
            "orig": tuple(&Tuple::from_words(record.rival[0])),
            "reply": tuple(&Tuple::from_words(record.rival[1])),
        });
    }
}
