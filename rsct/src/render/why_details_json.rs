//! The parts of `rsct why`'s answer that belong to one topic, as JSON.

use rsct_common::record::{CauseFlags, CauseRecord};

use crate::{
    causes::{
        Answer, lost,
        nat::{Search, Steps, range_of},
        tally::Listener,
    },
    kernel::interfaces::Names,
    schema::{
        common::{InNetns, Step, address},
        why::{self, Got, ListenerCount, Rival},
    },
};

use super::why_details::chosen;

/// The name of an interface, if it is known.
pub(super) fn interface(names: &Names, netns: u32, ifindex: u32) -> Option<String> {
    names
        .interface(netns, ifindex)
        .map(|name| name.as_str().to_owned())
}

/// How often between one power of two and the next.
pub(super) fn histogram(steps: &Steps) -> Vec<Step> {
    let step = |(step, count): (&u8, &u64)| {
        let (least, most) = range_of(*step);
        Step {
            from: least,
            to: most.checked_add(1),
            count: *count,
        }
    };
    steps.iter().map(step).collect()
}

/// A listener that did not receive events.
pub(super) fn listener<'a>(answer: &Answer<'a>, listener: Listener, count: u64) -> ListenerCount<'a> {
    let program = answer.listeners.get(&(listener.netns, listener.portid));
    ListenerCount {
        netns: InNetns::of(answer.names, listener.netns),
        portid: listener.portid,
        progname: program.map(String::as_str),
        event: lost::event(listener.kind).to_lowercase(),
        count,
    }
}

/// One of the longest searches.
pub(super) fn search(answer: &Answer<'_>, record: &CauseRecord) -> why::Search {
    let search = Search::of(record);
    let (chosen_address, port) = chosen(record);
    why::Search {
        netns: InNetns::of(answer.names, record.netns),
        orig: record.tuple.into(),
        reply: record.other.into(),
        changes: if search.source { "source" } else { "destination" }.into(),
        attempts: search.attempts,
        taken: search.taken,
        duration_ns: search.duration_ns,
        flags: search.flag_names().map(Into::into).collect(),
        got: Got {
            address: address(chosen_address),
            port,
        },
        address_min: search.addresses.map(|(least, _)| address(least)),
        address_max: search.addresses.map(|(_, most)| address(most)),
        port_min: search.ports.map(|(least, _)| least),
        port_max: search.ports.map(|(_, most)| most),
    }
}

/// The entry that was first in a clash.
pub(super) fn rival(record: &CauseRecord) -> Option<Rival> {
    let [orig, reply] = record.rival;
    (record.flags & CauseFlags::CLASH != 0).then(|| Rival {
        orig: orig.into(),
        reply: reply.into(),
    })
}
