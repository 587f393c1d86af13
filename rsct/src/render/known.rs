//! The joined table: every flow as known from dumps and records, and the differences.

use std::io::Write as _;

use crate::{
    flow::{Flow, FlowTable, differences::Difference},
    names::{self, status},
    schema::{
        tag,
        trace::{self, FlowEntry, KnownFlow},
    },
};

use super::{bytes, words};

/// Every flow, in the order of detection.
pub(crate) fn table(out: &mut Vec<u8>, json: bool, table: &FlowTable, now_ns: u64) {
    let mut flows: Vec<&Flow> = table.flows().collect();
    flows.sort_by_key(|flow| flow.number);
    if !json {
        out.extend_from_slice(
            b"\nFLOW   FROM   LEFT    STATE        ORIGINAL DIRECTION, REPLY DIRECTION, STATUS\n",
        );
    }
    for known in flows {
        if json {
            let line = KnownFlow {
                r#type: tag::Flow,
                known: flow(known, now_ns),
            };
            bytes::json_line(out, &line);
        } else {
            flow_text(out, known, now_ns);
        }
    }
}

/// One difference.
pub(crate) fn difference(out: &mut Vec<u8>, json: bool, difference: &Difference, now_ns: u64) {
    let kind = difference.kind.name();
    if json {
        let line = trace::Difference {
            r#type: tag::Difference,
            difference: kind.into(),
            known: flow(&difference.flow, now_ns),
        };
        bytes::json_line(out, &line);
    } else {
        let _ = write!(out, "difference {kind}: ");
        flow_text(out, &difference.flow, now_ns);
    }
}

fn flow_text(out: &mut Vec<u8>, flow: &Flow, now_ns: u64) {
    let tuple = flow.orig_tuple();
    let state = names::state(tuple.protonum, flow.state).unwrap_or("-");
    let left = flow
        .left_s(now_ns)
        .map_or("-".to_owned(), |seconds| format!("{seconds}s"));
    let _ = write!(
        out,
        "{:<6} {:<6} {left:<7} {state:<12} ",
        flow.number,
        flow.known_from()
    );
    words::tuple(out, &tuple);
    if let Some(reply) = flow.reply_tuple() {
        out.extend_from_slice(b", ");
        words::ends(out, &reply);
    }
    out.extend_from_slice(b",");
    for name in status::names(flow.status) {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b'\n');
}

fn flow(flow: &Flow, now_ns: u64) -> trace::Flow {
    trace::Flow {
        flow: flow.number,
        known_from: flow.known_from().into(),
        netns: flow.netns.into(),
        zone: flow.zone,
        mark: flow.mark,
        entry: FlowEntry::of(flow, now_ns),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::flow::{TupleKey, reconcile::DumpedEntry};

    #[test]
    fn a_difference_has_the_time_left() {
        let dumped = DumpedEntry {
            key: TupleKey {
                netns: 1,
                zone: 0,
                orig: [1; 5],
            },
            reply: [2; 5],
            status: status::CONFIRMED,
            state: 0,
            mark: 0,
            timeout_seconds: Some(100),
        };
        let mut table = FlowTable::new(250);
        table.begin_dump(1, false);
        table.dumped(&dumped, 5_000_000_000);
        let mut out = Vec::new();
        difference(
            &mut out,
            true,
            &table.reconciliation().differences.kept()[0],
            7_000_000_000,
        );
        let line: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (&line["difference"], &line["timeout_s"]),
            (&"only_in_dump".into(), &98.into())
        );
    }
}
