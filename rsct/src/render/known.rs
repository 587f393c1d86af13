//! The joined table: every flow as known from dumps and records, and the differences.

use std::io::Write as _;

use rsct_common::Tuple;

use crate::flow::{
    names::{self, proto, status},
    reconcile::Difference,
    table::{Flow, Table},
};

use super::{bytes, trace_json, words};

/// Every flow, in the order of detection.
pub fn table(out: &mut Vec<u8>, json: bool, table: &Table, now_ns: u64) {
    let mut flows: Vec<&Flow> = table.flows().collect();
    flows.sort_by_key(|flow| flow.number);
    if !json {
        out.extend_from_slice(
            b"\nFLOW   FROM   LEFT    STATE        ORIGINAL DIRECTION, REPLY DIRECTION, STATUS\n",
        );
    }
    for known in flows {
        if json {
            out.extend_from_slice(b"{\"type\":\"flow\"");
            flow_json(out, known, now_ns);
            out.extend_from_slice(b"}\n");
        } else {
            flow_text(out, known, now_ns);
        }
    }
}

/// One difference.
pub fn difference(out: &mut Vec<u8>, json: bool, difference: &Difference) {
    let kind = difference.kind.name();
    if json {
        let _ = write!(out, "{{\"type\":\"difference\",\"kind\":\"{kind}\"");
        flow_json(out, &difference.flow, 0);
        out.extend_from_slice(b"}\n");
    } else {
        let _ = write!(out, "difference {kind}: ");
        flow_text(out, &difference.flow, 0);
    }
}

/// Whole seconds left, as ctnetlink counts them.
fn left_seconds(flow: &Flow, now_ns: u64) -> Option<u64> {
    flow.expires_ns
        .map(|expires_ns| expires_ns.saturating_sub(now_ns) / 1_000_000_000)
}

fn flow_text(out: &mut Vec<u8>, flow: &Flow, now_ns: u64) {
    let tuple = flow.orig_tuple();
    let state = names::state(tuple.protonum, flow.state).unwrap_or("-");
    let left = left_seconds(flow, now_ns).map_or("-".to_owned(), |seconds| format!("{seconds}s"));
    let _ = write!(
        out,
        "{:<6} {:<6} {left:<7} {state:<12} ",
        flow.number,
        flow.known_from()
    );
    match proto::name(tuple.protonum) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => bytes::number(out, tuple.protonum),
    }
    out.push(b' ');
    words::ends(out, &tuple);
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

fn flow_json(out: &mut Vec<u8>, flow: &Flow, now_ns: u64) {
    let _ = write!(
        out,
        ",\"flow\":{},\"known_from\":\"{}\"",
        flow.number,
        flow.known_from()
    );
    let _ = write!(
        out,
        ",\"netns\":{},\"zone\":{},\"mark\":{}",
        flow.netns, flow.zone, flow.mark
    );
    trace_json::tuple(out, b",\"orig\":{", flow.orig);
    if flow.reply_known {
        trace_json::tuple(out, b",\"reply\":{", flow.reply);
    }
    let names: Vec<String> = status::names(flow.status)
        .map(|name| format!("\"{name}\""))
        .collect();
    let _ = write!(out, ",\"status\":[{}]", names.join(","));
    if let Some(state) = names::state(Tuple::from_words(flow.orig).protonum, flow.state) {
        let _ = write!(out, ",\"state\":\"{state}\"");
    }
    if let Some(left) = left_seconds(flow, now_ns) {
        let _ = write!(out, ",\"timeout_seconds\":{left}");
    }
}
