//! Packets by flow and by process, before they are added to the leaders: consecutive packets often have the same ones, and one
//! look-up of a flow's number serves the flow, its source, its destination and its namespace.

use std::collections::HashMap;

use rsct_common::{Tuple, names::proto};
use rustc_hash::FxBuildHasher;

use super::{Culprits, Destination, Figures, Leaders, Source};
use crate::causes::tally::{FlowName, TaskName};

/// The number of flows after which their figures are added to the leaders.
const MOST: usize = 4096;
/// Processes whose figures wait; of those with the same place, the last one's.
const TASKS: usize = 64;

/// Figures by flow and by process.
#[derive(Debug, Default)]
pub(super) struct Pending {
    flows: Vec<(FlowName, Figures)>,
    /// The place of each flow's number in `flows`.
    places: HashMap<u64, usize, FxBuildHasher>,
    /// The number that was added last, and its place.
    last: Option<(u64, usize)>,
    /// Packets without an entry.
    others: HashMap<FlowName, Figures, FxBuildHasher>,
    tasks: Vec<Option<(TaskName, Figures)>>,
}

impl Pending {
    /// Adds a packet of the flow with this number; to `culprits` all, if there are too many flows.
    #[inline]
    pub(super) fn add(
        &mut self,
        number: u64,
        name: impl FnOnce() -> FlowName,
        figures: &Figures,
        culprits: &mut Culprits,
    ) {
        let place = match self.last {
            Some((last, place)) if last == number => place,
            _ => self.place(number, name, culprits),
        };
        if let Some((_, sum)) = self.flows.get_mut(place) {
            sum.add(figures);
        }
    }

    #[inline(never)]
    fn place(&mut self, number: u64, name: impl FnOnce() -> FlowName, culprits: &mut Culprits) -> usize {
        let place = match self.places.get(&number) {
            Some(place) => *place,
            None => {
                self.make_room(culprits);
                let place = self.flows.len();
                self.flows.push((name(), Figures::default()));
                self.places.insert(number, place);
                place
            }
        };
        self.last = Some((number, place));
        place
    }

    /// Adds a packet without an entry.
    pub(super) fn add_other(&mut self, name: FlowName, figures: &Figures, culprits: &mut Culprits) {
        self.make_room(culprits);
        self.others.entry(name).or_default().add(figures);
    }

    /// Adds a packet of a process.
    #[inline]
    pub(super) fn add_task(&mut self, name: TaskName, figures: &Figures, tasks: &mut Leaders<TaskName>) {
        if self.tasks.is_empty() {
            self.tasks = vec![None; TASKS];
        }
        let place = name.pid as usize % TASKS;
        match &mut self.tasks[place] {
            Some((last, sum)) if *last == name => sum.add(figures),
            of_place => {
                if let Some((last, sum)) = of_place.replace((name, *figures)) {
                    tasks.add(last, &sum);
                }
            }
        }
    }

    fn make_room(&mut self, culprits: &mut Culprits) {
        if self.flows.len() + self.others.len() >= MOST {
            self.add_to(culprits);
            self.flows.clear();
            self.places.clear();
            self.last = None;
            self.others.clear();
            self.tasks.clear();
        }
    }

    /// Adds all to their leaders.
    pub(super) fn add_to(&self, culprits: &mut Culprits) {
        for (name, figures) in &self.flows {
            add_ends(name, figures, culprits);
            culprits.flows.add(*name, figures);
        }
        for (name, figures) in &self.others {
            add_ends(name, figures, culprits);
        }
        for (name, figures) in self.tasks.iter().flatten() {
            culprits.tasks.add(*name, figures);
        }
    }
}

/// Adds figures of a flow to its namespace, source and destination.
fn add_ends(name: &FlowName, figures: &Figures, culprits: &mut Culprits) {
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
            pending.add(number, || name(number), &PACKET, &mut culprits);
        }
        assert_eq!(pending.flows.len(), 10);
        pending.add_other(name(0), &PACKET, &mut culprits);
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

    #[test]
    fn flows_in_turn_and_flows_with_the_same_name_are_added_up() {
        let (mut pending, mut culprits) = (Pending::default(), Culprits::default());
        // The entry of flow 1 was deleted, and flow 3 has its tuple.
        for (number, of) in [(1, 1), (2, 2), (1, 1), (3, 1), (1, 1)] {
            pending.add(number, || name(of), &PACKET, &mut culprits);
        }
        pending.add_to(&mut culprits);
        let packets = [1, 2].map(|number| culprits.flows.of(&name(number)).packets);
        assert_eq!(packets, [4, 1]);
    }

    #[test]
    fn processes_in_turn_lose_no_packet() {
        let task = |pid| TaskName { pid, comm: [0; 16] };
        let (mut pending, mut culprits) = (Pending::default(), Culprits::default());
        let others = [1, 1 + TASKS as u32, 2, 1, 1];
        for pid in others {
            pending.add_task(task(pid), &PACKET, &mut culprits.tasks);
        }
        pending.add_to(&mut culprits);
        let packets = [1, 1 + TASKS as u32, 2].map(|pid| culprits.tasks.of(&task(pid)).packets);
        assert_eq!(packets, [3, 1, 1]);
    }
}
