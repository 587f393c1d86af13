//! Events per second of each namespace.

use std::{collections::BTreeMap, io::Write};

use super::{tracks::Counter, writer::Writer};

/// The length of an interval.
const SECOND_NS: u64 = 1_000_000_000;
/// A recording whose settled time stands still has no more seconds than this; later events count in the last one.
const MOST: usize = 1000;

/// The numbers of events in a second by namespace, in the order of [`Counter::RATES`].
type Counts = BTreeMap<u32, [u64; Counter::RATES.len()]>;

/// The numbers of events in the seconds that are not written yet.
#[derive(Debug)]
pub(super) struct Rates {
    begin_ns: u64,
    seconds: BTreeMap<u64, Counts>,
    /// The first second that is not written.
    next: u64,
    /// The namespaces with events in the second before.
    active: Vec<u32>,
}

impl Rates {
    /// Seconds begin at this time.
    pub(super) fn new(begin_ns: u64) -> Self {
        Self {
            begin_ns,
            seconds: BTreeMap::new(),
            next: 0,
            active: Vec::new(),
        }
    }

    /// Counts an event in its second, or in the first one that is not written.
    pub(super) fn count(&mut self, netns: u32, counter: Counter, time_ns: u64) {
        let mut second = self.second_of(time_ns).max(self.next);
        if self.seconds.len() >= MOST
            && let Some((last, _)) = self.seconds.last_key_value()
        {
            second = second.min(*last);
        }
        let counts = self.seconds.entry(second).or_default().entry(netns).or_default();
        for (count, of) in counts.iter_mut().zip(Counter::RATES) {
            *count += u64::from(of == counter);
        }
    }

    /// Writes the rates of the seconds that have passed. Returns whether one has.
    pub(super) fn settled(&mut self, writer: &mut Writer<impl Write>, now_ns: u64) -> bool {
        let current = self.second_of(now_ns);
        if current <= self.next {
            return false;
        }
        self.write_before(writer, current);
        if self.next < current {
            self.write(writer, self.next, &Counts::new());
            self.next = current;
        }
        true
    }

    /// Writes the rates of all seconds; the last one may be incomplete.
    pub(super) fn finish(&mut self, writer: &mut Writer<impl Write>) {
        self.write_before(writer, u64::MAX);
    }

    fn second_of(&self, time_ns: u64) -> u64 {
        time_ns.saturating_sub(self.begin_ns) / SECOND_NS
    }

    fn write_before(&mut self, writer: &mut Writer<impl Write>, end: u64) {
        while let Some(first) = self.seconds.first_entry().filter(|first| *first.key() < end) {
            let (second, counts) = first.remove_entry();
            if self.next < second {
                self.write(writer, self.next, &Counts::new());
            }
            self.write(writer, second, &counts);
            self.next = second + 1;
        }
    }

    /// Writes a second. Namespaces that were active in the one before and are not in this one get zeros.
    fn write(&mut self, writer: &mut Writer<impl Write>, second: u64, counts: &Counts) {
        let time_ns = self.begin_ns.saturating_add(second.saturating_mul(SECOND_NS));
        let active: Vec<u32> = counts.keys().copied().collect();
        let mut all = std::mem::replace(&mut self.active, active);
        all.extend(&self.active);
        all.sort_unstable();
        all.dedup();
        for netns in all {
            let counts = counts.get(&netns).copied().unwrap_or_default();
            for (count, counter) in counts.into_iter().zip(Counter::RATES) {
                writer.counter(netns, counter, time_ns, count);
            }
        }
    }
}
