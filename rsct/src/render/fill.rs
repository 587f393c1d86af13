//! The sources, services and states that fill a table, in text and JSON.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::{
    causes::fill::Fill,
    flow::names::{self, proto},
    kernel::netns::Netns,
    netlink::stats::Table,
    plural,
};

use super::{bytes, words};

/// Appends a namespace's table.
pub fn text(out: &mut Vec<u8>, netns: &Netns, table: Table, fill: &Fill, most: usize) {
    let _ = write!(
        out,
        "\n{}: {}",
        netns.name,
        plural::count(table.entries, "entry", "entries")
    );
    if let Some(max) = table.max_entries {
        let _ = write!(out, " of {max}");
    }
    let _ = writeln!(
        out,
        "; of {} read, {} are UNREPLIED, {} are ASSURED and cannot be evicted",
        fill.entries, fill.unreplied, fill.assured
    );
    for (index, (source, count)) in fill.sources.first(most).into_iter().enumerate() {
        label(out, if index == 0 { "from" } else { "" });
        let _ = writeln!(out, "{count:>8}  {source}");
    }
    for (index, ((protonum, address, port), count)) in fill.services.first(most).into_iter().enumerate() {
        label(out, if index == 0 { "to" } else { "" });
        let _ = write!(out, "{count:>8}  ");
        words::protocol(out, protonum);
        let _ = match proto::has_ports(protonum) {
            true => writeln!(out, " {}", std::net::SocketAddr::new(address, port)),
            false => writeln!(out, " {address}"),
        };
    }
    for (index, ((protonum, state), count)) in fill.states.first(most).into_iter().enumerate() {
        label(out, if index == 0 { "state" } else { "" });
        let _ = write!(out, "{count:>8}  ");
        words::protocol(out, protonum);
        let _ = writeln!(out, " {}", names::state(protonum, state).unwrap_or_default());
    }
    if fill.zones.kinds() > 1 {
        for (index, (zone, count)) in fill.zones.first(most).into_iter().enumerate() {
            label(out, if index == 0 { "zone" } else { "" });
            let _ = writeln!(out, "{count:>8}  {zone}");
        }
    }
}

fn label(out: &mut Vec<u8>, label: &str) {
    let _ = write!(out, "  {label:<6}");
}

/// Appends the same as a JSON object.
pub fn json(out: &mut Vec<u8>, netns: &Netns, table: Table, fill: &Fill, most: usize) {
    let sources = fill.sources.first(most).into_iter();
    let services = fill.services.first(most).into_iter();
    let states = fill.states.first(most).into_iter();
    let zones = fill.zones.first(most).into_iter();
    let protocol = |number: u8| proto::name(number).map_or_else(|| json!(number), |name| json!(name));
    let object = json!({
        "type": "table",
        "netns": netns.inode,
        "name": netns.name,
        "entries": table.entries,
        "max_entries": table.max_entries,
        "read": fill.entries,
        "unreplied": fill.unreplied,
        "assured": fill.assured,
        "sources": sources.map(|(source, count)| json!({
            "src": source.to_string(), "count": count,
        })).collect::<Vec<Value>>(),
        "services": services.map(|((protonum, address, port), count)| json!({
            "proto": protocol(protonum), "dst": address.to_string(), "dport": port, "count": count,
        })).collect::<Vec<Value>>(),
        "states": states.map(|((protonum, state), count)| json!({
            "proto": protocol(protonum), "state": names::state(protonum, state), "count": count,
        })).collect::<Vec<Value>>(),
        "zones": zones.map(|(zone, count)| json!({"zone": zone, "count": count})).collect::<Vec<Value>>(),
    });
    bytes::json_object(out, &object);
    out.push(b'\n');
}
