//! The figures of an interval as one JSON object.

use rsct_common::names::proto;

use crate::{
    kernel::interfaces::Names,
    schema::{
        common::{Word, address, comm, name_of, state_name},
        tag, top,
    },
    snapshot::{Figures, Interval},
};

use super::super::bytes;

/// Entries of each list.
const MOST: usize = 20;

/// Appends the object.
pub(crate) fn write(out: &mut Vec<u8>, interval: &Interval<'_>, names: &Names) {
    let now = interval.now;
    let by = |figures: &Figures| figures.packets;
    let line = top::Snapshot {
        r#type: tag::Snapshot,
        time_ns: now.time_ns,
        interval_ns: interval.length_ns,
        totals: now.totals.into(),
        grown: interval.totals.into(),
        tables: now
            .tables
            .iter()
            .map(|table| top::TableUse {
                netns: table.netns,
                netns_name: name_of(names, table.netns),
                entries: table.entries,
                max_entries: table.max,
                full_in_s: table.full_in_s(interval.growth(table), interval.length_ns),
            })
            .collect(),
        causes: interval
            .causes()
            .into_iter()
            .map(|(of, count)| top::CauseGrowth {
                cause: of.cause.name(),
                topic: of.cause.family().name(),
                count: of.count,
                recent: count,
                counted_by: of.counted_by(),
            })
            .collect(),
        population: now
            .population
            .classes()
            .map(|(class, entries)| top::EntryClass {
                netns: class.netns,
                zone: class.zone,
                proto: protocol(class.protonum),
                state: state_name(class.protonum, class.state),
                entries,
            })
            .collect(),
        top_flows: interval
            .flows(MOST, by)
            .into_iter()
            .map(|(flow, figures)| top::Leader {
                netns: flow.netns,
                zone: Some(flow.zone),
                orig: Some(flow.tuple.into()),
                ..leader(&figures)
            })
            .collect(),
        top_sources: interval
            .sources(MOST, by)
            .into_iter()
            .map(|(source, figures)| top::Leader {
                netns: source.netns,
                src: Some(address(source.addr)),
                ..leader(&figures)
            })
            .collect(),
        top_destinations: interval
            .destinations(MOST, by)
            .into_iter()
            .map(|(to, figures)| top::Leader {
                netns: to.netns,
                dst: Some(address(to.addr)),
                proto: Some(protocol(to.protonum)),
                dport: proto::has_ports(to.protonum).then_some(to.port),
                ..leader(&figures)
            })
            .collect(),
        top_tasks: interval
            .tasks(MOST, by)
            .into_iter()
            .map(|(task, figures)| top::Leader {
                pid: Some(task.pid),
                comm: Some(comm(&task.comm)),
                ..leader(&figures)
            })
            .collect(),
        top_namespaces: interval
            .namespaces(MOST, by)
            .into_iter()
            .map(|(netns, figures)| top::Leader {
                netns,
                ..leader(&figures)
            })
            .collect(),
        durations_ns: interval.durations.quantile(500).map(|p50| top::DurationFigures {
            count: interval.durations.count(),
            sum: interval.durations.sum(),
            p50,
            p99: interval.durations.quantile(990).unwrap_or(p50),
            max: interval.durations.max(),
        }),
        leaders_are_lower_bounds: now.culprits.are_bounds(),
        unfired: now.unfired.clone(),
    };
    bytes::json_line(out, &line);
}

fn protocol(protonum: u8) -> Word {
    proto::name(protonum).map_or_else(|| Word::Owned(protonum.to_string()), Word::from)
}

fn leader(figures: &Figures) -> top::Leader {
    top::Leader {
        packets: figures.packets,
        bytes: figures.bytes,
        created: figures.created,
        cost_ns: figures.cost_ns,
        ..top::Leader::default()
    }
}
