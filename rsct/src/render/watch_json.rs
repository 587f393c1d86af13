//! What a watch says in JSON beside its events; docs/json.md describes every name.

use serde::Serialize;

use super::bytes;
use crate::{kernel::netns::Netns, netlink::conntrack::Counters};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Started,
    NoEvents {
        #[serde(flatten)]
        netns: Option<Place<'a>>,
    },
    Loss {
        #[serde(flatten)]
        netns: Option<Place<'a>>,
        lost: u64,
        overruns: u64,
    },
    Synced {
        #[serde(flatten)]
        netns: Option<Place<'a>>,
        entries: u64,
    },
    Summary {
        new: u64,
        updated: u64,
        destroyed: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        packets: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        lost: u64,
        overruns: u64,
    },
}

#[derive(Serialize)]
struct Place<'a> {
    netns: &'a str,
    netns_inode: u64,
}

impl<'a> Place<'a> {
    fn of(netns: &'a Netns) -> Self {
        Self {
            netns: netns.name.as_str(),
            netns_inode: netns.inode,
        }
    }
}

/// How many of what, at the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// NEW events.
    pub new: u64,
    /// UPDATE events.
    pub updated: u64,
    /// DESTROY events.
    pub destroyed: u64,
    /// What the destroyed entries' counters add up to, where there were any.
    pub traffic: Option<Counters>,
    /// Events that the kernel dropped.
    pub lost: u64,
    /// How often it said so.
    pub overruns: u64,
}

/// Appends the first line.
pub fn started(out: &mut Vec<u8>) {
    line(out, &Line::Started);
}

/// Appends that the kernel sends no events.
pub fn no_events(out: &mut Vec<u8>, netns: Option<&Netns>) {
    let netns = netns.map(Place::of);
    line(out, &Line::NoEvents { netns });
}

/// Appends that events were lost.
pub fn loss(out: &mut Vec<u8>, lost: u64, overruns: u64, netns: Option<&Netns>) {
    let netns = netns.map(Place::of);
    line(
        out,
        &Line::Loss {
            netns,
            lost,
            overruns,
        },
    );
}

/// Appends that the table has been shown.
pub fn synced(out: &mut Vec<u8>, entries: u64, netns: Option<&Netns>) {
    let netns = netns.map(Place::of);
    line(out, &Line::Synced { netns, entries });
}

/// Appends the last line.
pub fn summary(out: &mut Vec<u8>, summary: &Summary) {
    line(
        out,
        &Line::Summary {
            new: summary.new,
            updated: summary.updated,
            destroyed: summary.destroyed,
            packets: summary.traffic.map(|traffic| traffic.packets),
            bytes: summary.traffic.map(|traffic| traffic.bytes),
            lost: summary.lost,
            overruns: summary.overruns,
        },
    );
}

fn line(out: &mut Vec<u8>, line: &Line<'_>) {
    // Writing to a Vec can't fail, and neither can numbers and text.
    bytes::json_object(out, line);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_objects() {
        let mut out = Vec::new();
        started(&mut out);
        loss(&mut out, 7, 1, None);
        synced(&mut out, 3, None);
        summary(
            &mut out,
            &Summary {
                new: 1,
                traffic: Some(Counters { packets: 2, bytes: 3 }),
                ..Summary::default()
            },
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"type\":\"started\"}\n\
             {\"type\":\"loss\",\"lost\":7,\"overruns\":1}\n\
             {\"type\":\"synced\",\"entries\":3}\n\
             {\"type\":\"summary\",\"new\":1,\"updated\":0,\"destroyed\":0,\"packets\":2,\"bytes\":3,\"lost\":0,\
             \"overruns\":0}\n"
        );
    }
}
