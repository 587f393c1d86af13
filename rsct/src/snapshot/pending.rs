//! Packets by flow, before they are added to the flow's source, destination and namespace: one look-up for each packet.

use std::collections::HashMap;

use rsct_common::{Tuple, names::proto};
use rustc_hash::FxBuildHasher;

use super::{Culprits, Destination, Figures, Source};
use crate::causes::tally::FlowName;

/// The number of flows after which their figures are added to the leaders.
const MOST: usize = 4096;

/// Figures by flow; false for packets without an entry.
#[derive(Debug, Default)]
pub(super) struct Pending(HashMap<(FlowName, bool), Figures, FxBuildHasher>);

impl Pending {
    /// Adds a packet; to `culprits` all, if there are too many flows.
    pub(super) fn add(
        &mut self,
        name: FlowName,
        has_entry: bool,
        figures: &Figures,
        culprits: &mut Culprits,
    ) {
        self.0.entry((name, has_entry)).or_default().add(figures);
        if self.0.len() >= MOST {
            self.add_to(culprits);
            self.0.clear();
        }
    }

    /// Adds all to their leaders.
    pub(super) fn add_to(&self, culprits: &mut Culprits) {
        for ((name, has_entry), figures) in &self.0 {
            let tuple = Tuple::from_words(name.tuple);
            let netns = name.netns;
            culprits.namespaces.add(netns, figures);
            let source = Source {
                netns,
                addr: tuple.src_addr(),
            };
            culprits.sources.add(source, figures);
            let destination = Destination {
                netns,
                addr: tuple.dst_addr(),
                protonum: tuple.protonum,
                port: match proto::has_ports(tuple.protonum) {
                    true => tuple.dst_port(),
                    false => 0,
                },
            };
            culprits.destinations.add(destination, figures);
            if *has_entry {
                culprits.flows.add(*name, figures);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Figures = Figures {
        packets: 1,
        bytes: 0,
        created: 0,
        cost_ns: 0,
    };

    fn name(number: u64) -> FlowName {
        FlowName {
            netns: 1,
            zone: 0,
            tuple: [number; 5],
        }
    }

    #[test]
    fn each_packet_is_added_once() {
        let (mut pending, mut culprits) = (Pending::default(), Culprits::default());
        for number in 0..MOST as u64 + 10 {
            pending.add(name(number), true, &PACKET, &mut culprits);
        }
        assert_eq!(pending.0.len(), 10);
        pending.add(name(0), false, &PACKET, &mut culprits);
        for _ in 0..2 {
            let mut shown = culprits.clone();
            pending.add_to(&mut shown);
            assert_eq!(shown.namespaces.of(&1).packets, MOST as u64 + 11);
            assert_eq!(
                shown.flows.of(&name(0)).packets,
                1,
                "a packet without an entry has no flow"
            );
        }
    }
}
