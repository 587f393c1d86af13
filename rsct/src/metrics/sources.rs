//! The sources that create the most entries: a bounded number of addresses, and the sum of all others.

use std::net::IpAddr;

use crate::snapshot::{Leaders, Source};

use super::namespaces::{Label, Namespaces};

/// A source needs this share of the new entries to get a series: a flood of forged addresses, each with a few entries, gets none.
const LEAST_PERCENT: u64 = 1;

/// A source with a series.
#[derive(Debug)]
struct Slot {
    source: Source,
    label: Label,
    /// Entries since it got the series.
    created: u64,
    /// The same, halved about every five readings.
    recent: u64,
    since: f64,
}

/// The sources so far.
#[derive(Debug)]
pub(crate) struct Sources {
    most: usize,
    slots: Vec<Slot>,
    others: u64,
    earlier: Leaders<Source>,
}

/// A source's series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Series {
    /// The label of its namespace.
    pub label: Label,
    /// The address.
    pub addr: IpAddr,
    /// Created entries.
    pub created: u64,
    /// Since when, in seconds since 1970.
    pub since: f64,
}

impl Sources {
    /// At most this many sources.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            slots: Vec::new(),
            others: 0,
            earlier: Leaders::default(),
        }
    }

    /// Adds what has grown: `total` new entries of all sources, and those of each source up to now.
    pub(crate) fn grow(&mut self, now: &Leaders<Source>, total: u64, at: f64, namespaces: &Namespaces) {
        // A namespace may have lost its label.
        self.slots
            .retain(|slot| namespaces.of(slot.source.netns) == slot.label);
        let mut of_slots = 0;
        for slot in &mut self.slots {
            let grown = now.of(&slot.source).since(&self.earlier.of(&slot.source)).created;
            slot.created += grown;
            slot.recent = slot.recent - slot.recent / 8 + grown;
            of_slots += grown;
        }
        for (source, grown) in now.top(&self.earlier, self.most, |figures| figures.created) {
            let label = namespaces.of(source.netns);
            let is_high = grown.created > 0 && grown.created * 100 >= total * LEAST_PERCENT;
            let is_known = self
                .slots
                .iter()
                .any(|slot| slot.label == label && slot.source.addr == source.addr);
            if !is_high || is_known || label == Label::Other || !self.has_space(grown.created) {
                continue;
            }
            of_slots += grown.created;
            self.slots.push(Slot {
                source,
                label,
                created: grown.created,
                recent: grown.created,
                since: at,
            });
        }
        self.others += total.saturating_sub(of_slots);
        self.earlier.clone_from(now);
    }

    /// Returns whether there is a free slot; a source with fewer new entries than `created` yields its own.
    fn has_space(&mut self, created: u64) -> bool {
        if self.slots.len() < self.most {
            return true;
        }
        let places = self.slots.iter().enumerate();
        let lowest = places.min_by_key(|(_, slot)| slot.recent);
        match lowest.map(|(place, slot)| (place, slot.recent)) {
            Some((place, recent)) if recent < created => {
                self.slots.swap_remove(place);
                true
            }
            _ => false,
        }
    }

    /// The series, the highest first.
    pub(crate) fn series(&self) -> Vec<Series> {
        let mut series: Vec<Series> = self
            .slots
            .iter()
            .map(|slot| Series {
                label: slot.label,
                addr: slot.source.addr,
                created: slot.created,
                since: slot.since,
            })
            .collect();
        series.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.addr.cmp(&b.addr)));
        series
    }

    /// The new entries of all others.
    pub(crate) fn others(&self) -> u64 {
        self.others
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::Figures;

    fn source(number: u32) -> Source {
        Source {
            netns: 1,
            addr: IpAddr::V4(Ipv4Addr::from(number)),
        }
    }

    fn created(created: u64) -> Figures {
        Figures {
            created,
            ..Figures::default()
        }
    }

    fn addresses(of: &Sources) -> Vec<(IpAddr, u64)> {
        of.series().iter().map(|one| (one.addr, one.created)).collect()
    }

    #[test]
    fn the_highest_sources_have_series_and_the_rest_is_summed() {
        let single = Namespaces::single("");
        let (mut sources, mut now) = (Sources::new(2), Leaders::default());
        for (number, count) in [(1, 50), (2, 30), (3, 20)] {
            now.add(source(number), &created(count));
        }
        sources.grow(&now, 100, 1.0, &single);
        assert_eq!(addresses(&sources), [(source(1).addr, 50), (source(2).addr, 30)]);
        assert_eq!(sources.others(), 20);
        // A higher one replaces the lowest.
        now.add(source(3), &created(40));
        sources.grow(&now, 40, 2.0, &single);
        assert_eq!(addresses(&sources), [(source(1).addr, 50), (source(3).addr, 40)]);
        assert_eq!(sources.others(), 20);
    }

    #[test]
    fn a_flood_of_forged_addresses_gets_no_series() {
        let single = Namespaces::single("");
        let (mut sources, mut now) = (Sources::new(20), Leaders::default());
        for number in 0..1000 {
            now.add(source(number), &created(1));
        }
        sources.grow(&now, 1000, 1.0, &single);
        assert!(sources.series().is_empty());
        assert_eq!(sources.others(), 1000);
    }

    #[test]
    fn sources_of_namespaces_without_a_label_are_summed() {
        let all = Namespaces::all();
        let (mut sources, mut now) = (Sources::new(2), Leaders::default());
        now.add(source(1), &created(7));
        sources.grow(&now, 7, 1.0, &all);
        assert!(sources.series().is_empty());
        assert_eq!(sources.others(), 7);
    }

    proptest! {
        #[test]
        fn no_series_falls_while_it_lasts(steps in prop::collection::vec(prop::collection::vec((0..30u32, 1..100u64), 0..20), 1..30)) {
            let single = Namespaces::single("");
            let (mut sources, mut now) = (Sources::new(5), Leaders::default());
            let (mut before, mut others, mut all) = (Vec::new(), 0, 0);
            for step in steps {
                let mut total = 0;
                for (number, count) in step {
                    now.add(source(number), &created(count));
                    total += count;
                }
                all += total;
                sources.grow(&now, total, 1.0, &single);
                let series = addresses(&sources);
                prop_assert!(series.len() <= 5);
                for (addr, count) in &before {
                    if let Some((_, now)) = series.iter().find(|(of, _)| of == addr) {
                        prop_assert!(now >= count);
                    }
                }
                prop_assert!(sources.others() >= others);
                prop_assert!(series.iter().map(|(_, count)| count).sum::<u64>() + sources.others() <= all);
                others = sources.others();
                before = series;
            }
        }
    }
}
