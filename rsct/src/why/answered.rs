//! The answer to a topic, between two readings of the counts.

use std::time::Duration;

use rsct_common::record::CauseFamily;

use crate::{
    causes::{Answer, Unseen, counters::CounterCheck, tally::CauseTotals},
    probe::{cause_hooks, proof::Unproven},
    records::{Lost, Skips},
};

use super::{
    losses::Losses,
    topic::cannot_count,
    topic_inputs::{Kept, TopicInputs},
};

/// There is nothing to answer from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the recording has no two readings of the counts of causes in this time: `rsct record` writes one when the programs \
     of causes are attached, one each second and one at the end, but none with --no-causes"
)]
pub(crate) struct NoCounts;

/// The parts of an answer.
pub(crate) struct Answered {
    totals: CauseTotals,
    held: Vec<CounterCheck>,
    elapsed: Duration,
    is_filtered: bool,
    counts_records: bool,
    unseen: Vec<Unseen>,
    unproven: Option<Unproven>,
    lost: Lost,
    skips: Skips,
    malformed: u64,
}

impl Answered {
    /// Returns whether all counts agree with the kernel's.
    pub(crate) fn agrees(&self) -> bool {
        self.held.iter().all(CounterCheck::agrees)
    }
}

/// Why unequal counts prove nothing: a skipped program counts no cause. Equal counts show that none was missed.
fn unless_equal(held: &CounterCheck, skips: Skips) -> Option<String> {
    let is_doubtful = skips.counted > 0 && held.theirs() != held.ours;
    is_doubtful.then(|| "the kernel skipped eBPF programs".to_owned())
}

impl TopicInputs {
    /// Computes the answer between the first and the last reading.
    pub(crate) fn answered(&self) -> Result<Answered, NoCounts> {
        let Kept {
            topic,
            chosen,
            readings,
            symbols,
        } = &self.kept;
        let (first, last, totals) = readings.between(symbols).ok_or(NoCounts)?;
        let mut counters = [first.counters.clone(), last.counters.clone()];
        if let Some(netns) = chosen.netns {
            for counters in &mut counters {
                counters.keep_only(netns);
            }
        }
        let [before, after] = counters;
        let is_filtered = self.is_filtered || !chosen.filter.is_empty();
        let programs = &last.programs;
        let unproven = programs.unproven.clone().or(first.programs.unproven.clone());
        let mut losses = Losses::default();
        losses.add(
            (&first.programs.lost, &last.programs.lost),
            (first.programs.skips, last.programs.skips),
            (first.programs.malformed, last.programs.malformed),
        );
        let mut unread = first.unread.as_ref().or(last.unread.as_ref()).cloned();
        if self.needs_packets(programs.leaves_packets) {
            let before = losses.total();
            losses.add(
                (&first.trace.lost, &last.trace.lost),
                (first.trace.skips, last.trace.skips),
                (first.trace.malformed, last.trace.malformed),
            );
            if losses.total() != before {
                unread.get_or_insert_with(|| "records of packets were lost".to_owned());
            }
        }
        let held = match is_filtered {
            true => Vec::new(),
            false => topic.compare(&totals, &before, &after),
        };
        let held = held.into_iter().map(|(family, held)| CounterCheck {
            unknown: cannot_count(family, unproven.as_ref(), &programs.unseen)
                .or(unread.clone())
                .or(unless_equal(&held, losses.skips))
                .or(held.unknown.clone()),
            ..held
        });
        Ok(Answered {
            held: held.collect(),
            totals,
            elapsed: Duration::from_nanos(last.time_ns - first.time_ns),
            is_filtered,
            counts_records: !chosen.filter.is_empty(),
            unseen: self.unseen(&programs.unseen),
            unproven,
            lost: losses.lost,
            skips: losses.skips,
            malformed: losses.malformed,
        })
    }

    /// Returns whether records of packets show some of the topic's causes.
    fn needs_packets(&self, leaves_packets: bool) -> bool {
        let from_packets = [CauseFamily::Invalid, CauseFamily::Drop];
        leaves_packets
            && from_packets
                .iter()
                .any(|family| self.kept.topic.families.contains(family))
    }

    /// The hooks of the topic that are not attached.
    fn unseen(&self, all: &[Unseen]) -> Vec<Unseen> {
        let hooks = cause_hooks::of(self.kept.topic.families);
        let of_topic = |unseen: &&Unseen| {
            hooks
                .iter()
                .any(|hook| hook.function == unseen.function && hook.shows == unseen.shows)
        };
        all.iter().filter(of_topic).cloned().collect()
    }

    /// The answer, with at most this number of flows, tasks and so on of each cause.
    pub(crate) fn answer<'a>(&'a self, answered: &'a Answered, most: usize) -> Answer<'a> {
        let topic = &self.kept.topic;
        Answer {
            topic: topic.name,
            things: topic.things,
            elapsed: answered.elapsed,
            causes: answered.totals.causes(topic.shows),
            held: answered.held.clone(),
            filtered: answered.is_filtered,
            counts_records: answered.counts_records,
            unseen: answered.unseen.clone(),
            unproven: answered.unproven.clone(),
            lost: answered.lost.clone(),
            skips: answered.skips,
            malformed: answered.malformed,
            names: &self.names,
            symbols: &self.kept.symbols,
            ticks: self.ticks,
            listeners: &self.kept.readings.all.listeners,
            most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_skips_only_equal_counts_are_compared() {
        let held = |ours, theirs| CounterCheck {
            what: "",
            counters: vec![("invalid", theirs)],
            ours,
            others_too: true,
            unknown: None,
        };
        let skips = |counted| Skips {
            counted,
            ..Skips::default()
        };
        assert_eq!(unless_equal(&held(3, 4), skips(0)), None);
        assert_eq!(unless_equal(&held(3, 3), skips(1)), None);
        assert!(unless_equal(&held(3, 4), skips(1)).is_some());
        assert!(unless_equal(&held(4, 3), skips(1)).is_some());
    }
}
