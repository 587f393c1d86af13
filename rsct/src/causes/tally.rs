//! Totals of causes: exact counts from the kernel, and details from the records.

use rsct_common::{
    TupleWords,
    record::{CauseFamily, CauseFlags, CauseRecord},
};

use crate::{flow::HookPoint, kernel::text::Symbols};

use super::{Cause, Evidence, delete, drop, key_count::KeyCount, nat, top::Top, window::Miss};

/// The identity of a flow for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FlowName {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// The zone.
    pub zone: u16,
    /// The original direction.
    pub tuple: TupleWords,
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TaskName {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub comm: [u8; 16],
}

/// A listener to events, and the kind of the missed events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Listener {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Its netlink port; zero for all listeners.
    pub portid: u32,
    /// See [`rsct_common::record::lost`].
    pub kind: u16,
}

/// The totals of one cause.
#[derive(Clone, Debug)]
pub(crate) struct CauseTally {
    /// The cause.
    pub cause: Cause,
    /// The number of occurrences: counted in the kernel.
    pub count: u64,
    /// The number of records: the other records were lost.
    pub recorded: u64,
    /// The count of each namespace: counted in the kernel.
    pub namespaces: Vec<(u32, u64)>,
    /// The count of each kernel text, or of each place in the kernel: counted in the kernel.
    pub places: Vec<(String, u64)>,
    /// The flows, as far as there are records.
    pub flows: Top<FlowName>,
    /// The interfaces and hooks.
    pub ports: Top<HookPoint>,
    /// The processes.
    pub tasks: Top<TaskName>,
    /// The numbers of bytes by which segments missed TCP's window.
    pub misses: Vec<u32>,
    /// The durations and attempts of NAT's searches: counted in the kernel.
    pub spread: nat::Spread,
    /// NAT's longest searches, the longest first.
    pub longest: Vec<CauseRecord>,
    /// The listeners that events did not reach: counted in the kernel.
    pub listeners: Vec<(Listener, u64)>,
    /// The first record.
    pub example: Option<CauseRecord>,
}

/// The totals of all causes that occurred.
#[derive(Clone, Debug, Default)]
pub(crate) struct CauseTotals {
    causes: Vec<CauseTally>,
}

/// The maximum number of amounts kept for their distribution: the first ones.
const MOST_AMOUNTS: usize = 1 << 16;

impl CauseTotals {
    /// Adds a record.
    pub(crate) fn record(&mut self, record: &CauseRecord, symbols: &Symbols) {
        let key = record.key();
        let evidence = Evidence {
            key: &key,
            text: &record.text,
        };
        let Some(cause) = Cause::of(&evidence, symbols) else {
            return;
        };
        let tally = self.of_mut(cause);
        tally.recorded += 1;
        if record.tuple != TupleWords::default() {
            tally.flows.add(FlowName {
                netns: record.netns,
                zone: record.zone,
                tuple: record.tuple,
            });
        }
        if record.ifindex != 0
            && let Some(hook) = hook(record, symbols)
        {
            tally.ports.add(HookPoint {
                netns: record.netns,
                ifindex: record.ifindex,
                hook,
            });
        }
        if let Cause::Nat(_) = cause {
            note_longest(&mut tally.longest, record);
        }
        if record.flags & CauseFlags::TASK != 0 {
            tally.tasks.add(TaskName {
                pid: record.pid,
                comm: record.comm,
            });
        }
        if let Cause::Invalid(cause) = cause
            && record.flags & CauseFlags::WINDOW != 0
            && tally.misses.len() < MOST_AMOUNTS
            && let Some(miss) = Miss::of(cause, &record.numbers)
        {
            tally.misses.push(miss.bytes);
        }
        tally.example.get_or_insert(*record);
    }

    /// Adds the kernel's counts since `before`.
    pub(crate) fn counted(&mut self, now: &[KeyCount], before: &[KeyCount], symbols: &Symbols) {
        for counted in now {
            let earlier = before.iter().find(|before| before.key == counted.key);
            let count = counted.count.count - earlier.map_or(0, |earlier| earlier.count.count);
            if count == 0 {
                continue;
            }
            let evidence = Evidence {
                key: &counted.key,
                text: &counted.count.text,
            };
            let Some(cause) = Cause::of(&evidence, symbols) else {
                continue;
            };
            let place = place(cause, &evidence, symbols);
            let tally = self.of_mut(cause);
            tally.count += count;
            add(&mut tally.namespaces, counted.key.netns, count);
            if let Some(place) = place {
                add(&mut tally.places, place, count);
            }
            match cause {
                Cause::Nat(nat::NatCause::Taken) => {}
                Cause::Nat(_) => tally.spread.add(counted.key.detail, count),
                Cause::Lost(_) => {
                    let listener = Listener {
                        netns: counted.key.netns,
                        portid: counted.key.detail as u32,
                        kind: counted.key.more,
                    };
                    add(&mut tally.listeners, listener, count);
                }
                _ => {}
            }
        }
        for tally in &mut self.causes {
            tally
                .namespaces
                .sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            tally.places.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            tally
                .listeners
                .sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        }
    }

    /// Returns the causes that occurred and match `which`, the most frequent first.
    pub(crate) fn causes(&self, which: impl Fn(Cause) -> bool) -> Vec<&CauseTally> {
        let is_asked = |tally: &&CauseTally| tally.count != 0 && which(tally.cause);
        let mut causes: Vec<&CauseTally> = self.causes.iter().filter(is_asked).collect();
        causes.sort_by_key(|tally| std::cmp::Reverse(tally.count));
        causes
    }

    /// Returns the sum of the counts of the causes that match `which`, in the namespaces that match `there`.
    pub(crate) fn count_in(&self, there: impl Fn(u32) -> bool, which: impl Fn(Cause) -> bool) -> u64 {
        self.causes
            .iter()
            .filter(|tally| which(tally.cause))
            .flat_map(|tally| &tally.namespaces)
            .filter(|(netns, _)| there(*netns))
            .map(|(_, count)| count)
            .sum()
    }

    fn of_mut(&mut self, cause: Cause) -> &mut CauseTally {
        let place = self.causes.iter().position(|tally| tally.cause == cause);
        let place = place.unwrap_or_else(|| {
            self.causes.push(CauseTally {
                cause,
                count: 0,
                recorded: 0,
                namespaces: Vec::new(),
                places: Vec::new(),
                flows: Top::default(),
                ports: Top::default(),
                tasks: Top::default(),
                misses: Vec::new(),
                spread: nat::Spread::default(),
                longest: Vec::new(),
                listeners: Vec::new(),
                example: None,
            });
            self.causes.len() - 1
        });
        &mut self.causes[place]
    }
}

/// Returns the netfilter hook, if known: of a dropped packet, the functions on the stack show it.
pub(crate) fn hook(record: &CauseRecord, symbols: &Symbols) -> Option<u8> {
    if record.flags & CauseFlags::HOOK != 0 {
        return Some(record.hook);
    }
    match CauseFamily::from_byte(record.family) {
        Some(CauseFamily::Drop) => drop::hook(&record.key(), symbols),
        _ => None,
    }
}

/// Returns the kernel's text if there is one, else the callers.
fn place(cause: Cause, evidence: &Evidence<'_>, symbols: &Symbols) -> Option<String> {
    /// Enough to identify the caller.
    const CALLERS: usize = 4;
    if !evidence.text().is_empty() {
        return Some(String::from_utf8_lossy(evidence.text()).into_owned());
    }
    match cause {
        Cause::Delete(_) => {
            let callers: Vec<&str> = delete::callers(evidence.key, symbols).take(CALLERS).collect();
            Some(callers.join(" < "))
        }
        Cause::Drop(_) => drop::place(evidence.key, symbols),
        _ => None,
    }
}

/// The maximum number of longest searches kept.
const MOST_SEARCHES: usize = 64;

/// Keeps a record if it is one of the longest: by attempts, then by duration.
fn note_longest(longest: &mut Vec<CauseRecord>, record: &CauseRecord) {
    let length = |record: &CauseRecord| {
        let search = nat::Search::of(record);
        (search.attempts, search.duration_ns)
    };
    let this = length(record);
    let place = longest.partition_point(|other| length(other) >= this);
    if place < MOST_SEARCHES {
        longest.insert(place, *record);
        longest.truncate(MOST_SEARCHES);
    }
}

fn add<K: PartialEq>(counts: &mut Vec<(K, u64)>, which: K, count: u64) {
    match counts.iter_mut().find(|(known, _)| *known == which) {
        Some((_, sum)) => *sum += count,
        None => counts.push((which, count)),
    }
}

/// Returns the least, the median and the greatest of amounts.
pub(crate) fn spread(amounts: &[u32]) -> Option<(u32, u32, u32)> {
    let mut sorted = amounts.to_vec();
    sorted.sort_unstable();
    Some((*sorted.first()?, sorted[sorted.len() / 2], *sorted.last()?))
}

#[cfg(test)]
mod tests {
    use rsct_common::record::{CauseCount, CauseFamily, CauseKey, TEXT_BYTES, what};

    use super::*;

    fn counted(what: u8, count: u64, words: &str) -> KeyCount {
        let mut text = [0; TEXT_BYTES];
        text[..words.len()].copy_from_slice(words.as_bytes());
        KeyCount {
            key: CauseKey {
                family: CauseFamily::Invalid as u8,
                what,
                detail: words.len() as u64,
                ..CauseKey::default()
            },
            count: CauseCount { count, text },
        }
    }

    #[test]
    fn earlier_counts_are_subtracted() {
        let before = [counted(what::INVALID_LOGGED, 3, "bad checksum")];
        let now = [
            counted(what::INVALID_LOGGED, 5, "bad checksum"),
            counted(what::INVALID_LOGGED, 7, "SEQ is over"),
        ];
        let mut tally = CauseTotals::default();
        tally.counted(&now, &before, &Symbols::default());
        let causes = tally.causes(|_| true);
        assert_eq!(causes.len(), 2);
        assert_eq!((causes[0].cause.name(), causes[0].count), ("seq_over", 7));
        assert_eq!((causes[1].cause.name(), causes[1].count), ("checksum", 2));
        assert_eq!(causes[1].places, [("bad checksum".to_owned(), 2)]);
        assert_eq!(tally.count_in(|_| true, |_| true), 9);
    }

    #[test]
    fn amounts_are_spread() {
        assert_eq!(spread(&[5, 1, 9]), Some((1, 5, 9)));
        assert_eq!(spread(&[]), None);
    }
}
