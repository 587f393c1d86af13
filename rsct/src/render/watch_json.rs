//! The lines of a watch that are no events, as JSON.

use super::bytes::json_line;
use crate::{
    kernel::netns::NetnsName,
    netlink::conntrack::Counters,
    schema::{
        tag,
        watch::{NoEvents, Synced, WatchLoss, WatchStarted, WatchSummary},
    },
};

/// How many of what, at the end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    /// NEW events.
    pub new: u64,
    /// UPDATE events.
    pub updated: u64,
    /// DESTROY events.
    pub destroyed: u64,
    /// The sums of the destroyed entries' counters, where there were any.
    pub traffic: Option<Counters>,
    /// Events that the kernel dropped.
    pub lost: u64,
    /// How often it reported a loss.
    pub overruns: u64,
}

/// Appends that the watch has begun.
pub(crate) fn started(out: &mut Vec<u8>) {
    json_line(out, &WatchStarted { r#type: tag::Started });
}

/// Appends that the kernel sends no events.
pub(crate) fn no_events(out: &mut Vec<u8>, netns: Option<&NetnsName>) {
    let line = NoEvents {
        r#type: tag::NoEvents,
        netns: netns.into(),
    };
    json_line(out, &line);
}

/// Appends that events were lost.
pub(crate) fn loss(out: &mut Vec<u8>, lost: u64, overruns: u64, netns: Option<&NetnsName>) {
    let line = WatchLoss {
        r#type: tag::Loss,
        netns: netns.into(),
        lost,
        overruns,
    };
    json_line(out, &line);
}

/// Appends that the table has been listed.
pub(crate) fn synced(out: &mut Vec<u8>, entries: u64, netns: Option<&NetnsName>) {
    let line = Synced {
        r#type: tag::Synced,
        netns: netns.into(),
        entries,
    };
    json_line(out, &line);
}

/// Appends the last line.
pub(crate) fn summary(out: &mut Vec<u8>, summary: &Summary) {
    let line = WatchSummary {
        r#type: tag::Summary,
        new: summary.new,
        updated: summary.updated,
        destroyed: summary.destroyed,
        packets: summary.traffic.map(|traffic| traffic.packets),
        bytes: summary.traffic.map(|traffic| traffic.bytes),
        lost_total: summary.lost,
        overruns: summary.overruns,
    };
    json_line(out, &line);
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
             {\"type\":\"summary\",\"new\":1,\"updated\":0,\"destroyed\":0,\"packets\":2,\"bytes\":3,\"lost_total\":0,\
             \"overruns\":0}\n"
        );
    }
}
