//! The sources, services and states that fill a table, in text and JSON.

use std::io::Write as _;

use crate::{
    causes::fill::Fill,
    kernel::netns::NetnsName,
    names::{self, proto},
    netlink::stats::Table,
    plural,
    schema::{
        common::{Word, address, state_name},
        tag,
        why_full::{self, ServiceCount, SourceCount, StateCount, ZoneCount},
    },
};

use super::{bytes, words};

/// Appends a namespace's table.
pub(crate) fn text(out: &mut Vec<u8>, netns: &NetnsName, table: Table, fill: &Fill, most: usize) {
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
pub(crate) fn json(out: &mut Vec<u8>, netns: &NetnsName, table: Table, fill: &Fill, most: usize) {
    let sources = fill.sources.first(most).into_iter();
    let services = fill.services.first(most).into_iter();
    let states = fill.states.first(most).into_iter();
    let zones = fill.zones.first(most).into_iter();
    let object = why_full::Table {
        r#type: tag::Table,
        netns: netns.into(),
        entries: table.entries,
        max_entries: table.max_entries,
        read: fill.entries,
        unreplied: fill.unreplied,
        assured: fill.assured,
        sources: sources
            .map(|(source, count)| SourceCount {
                src: address(source),
                count,
            })
            .collect(),
        services: services
            .map(|((protonum, to, port), count)| ServiceCount {
                proto: proto::name(protonum).map(Word::from),
                protonum,
                dst: address(to),
                dport: port,
                count,
            })
            .collect(),
        states: states
            .map(|((protonum, state), count)| StateCount {
                proto: proto::name(protonum).map(Word::from),
                protonum,
                state: state_name(protonum, state),
                count,
            })
            .collect(),
        zones: zones.map(|(zone, count)| ZoneCount { zone, count }).collect(),
    };
    bytes::json_line(out, &object);
}
