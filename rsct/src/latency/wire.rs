//! Snapshots as notes of a recording: each has the histograms that changed since the last one, and of these the buckets that
//! are not empty.
//!
//! Values are counts since the measurement began, so a note sets them and adds nothing. Buckets have their least value, keys and
//! functions their names, so that a reader does not depend on the programs' numbers.

use std::collections::BTreeMap;

use rsct_common::latency::Function;
use serde::{Deserialize, Serialize};

use super::{Counts, Key, Losses, Reading, Snapshot, Tally};

/// What changed between two snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Changes {
    time_ns: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    durations: Vec<Durations>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<CountsForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gc: Option<GcForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    losses: Option<Losses>,
}

/// The durations of a function under a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Durations {
    function: String,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<KeyForm>,
    #[serde(flatten)]
    tally: TallyForm,
}

/// An outcome's name, or a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum KeyForm {
    Number(u32),
    Name(String),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct TallyForm {
    sum: u64,
    max: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    max_is_a_bound: bool,
    /// The least value of each bucket, and its count.
    buckets: Vec<(u64, u64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct CountsForm {
    tracked_already: u64,
    untracked_already: u64,
    unfinished: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct GcForm {
    hash_buckets: TallyForm,
    reaped: TallyForm,
    late_jiffies: TallyForm,
    evicted: u64,
}

impl Changes {
    /// The changes from one snapshot to a later one.
    pub(crate) fn between(before: &Snapshot, after: &Snapshot) -> Self {
        let (old, new) = (&before.reading, &after.reading);
        let changed = new
            .durations
            .iter()
            .filter(|(of, tally)| old.durations.get(of) != Some(*tally));
        Self {
            time_ns: after.time_ns,
            durations: changed
                .map(|((function, key), tally)| Durations::of(*function, *key, tally))
                .collect(),
            counts: (old.counts != new.counts).then(|| CountsForm::of(&new.counts)),
            gc: (old.gc != new.gc).then(|| GcForm::of(new)),
            losses: (before.losses != after.losses).then(|| after.losses.clone()),
        }
    }

    /// Applies them to the snapshot before. Functions and keys of newer versions are skipped.
    pub(crate) fn apply(&self, snapshot: &mut Snapshot) {
        snapshot.time_ns = self.time_ns;
        let reading = &mut snapshot.reading;
        for durations in &self.durations {
            if let Some(of) = durations.of_what() {
                reading.durations.insert(of, durations.tally.tally());
            }
        }
        if let Some(counts) = &self.counts {
            reading.counts = counts.counts();
        }
        if let Some(gc) = &self.gc {
            reading.gc.buckets = gc.hash_buckets.tally();
            reading.gc.reaped = gc.reaped.tally();
            reading.gc.late = gc.late_jiffies.tally();
            reading.gc.evicted = gc.evicted;
        }
        if let Some(losses) = &self.losses {
            snapshot.losses.clone_from(losses);
        }
    }
}

impl Durations {
    fn of(function: Function, key: Key, tally: &Tally) -> Self {
        let (by, key) = match key {
            Key::All => ("all", None),
            Key::Outcome(outcome) => ("outcome", Some(outcome_form(function, outcome))),
            Key::Proto(number) => ("proto", Some(KeyForm::Number(number.into()))),
            Key::Netns(inode) => ("netns", Some(KeyForm::Number(inode))),
            Key::Hook(number) => ("hook", Some(KeyForm::Number(number.into()))),
            Key::Cpu(number) => ("cpu", Some(KeyForm::Number(number))),
        };
        Self {
            function: function.name().to_owned(),
            by: by.to_owned(),
            key,
            tally: TallyForm::of(tally),
        }
    }

    fn of_what(&self) -> Option<(Function, Key)> {
        let function = function_named(&self.function)?;
        let key = match (self.by.as_str(), &self.key) {
            ("all", _) => Key::All,
            ("outcome", Some(form)) => Key::Outcome(outcome(function, form)?),
            ("proto", Some(KeyForm::Number(number))) => Key::Proto(u8::try_from(*number).ok()?),
            ("netns", Some(KeyForm::Number(inode))) => Key::Netns(*inode),
            ("hook", Some(KeyForm::Number(number))) => Key::Hook(u8::try_from(*number).ok()?),
            ("cpu", Some(KeyForm::Number(number))) => Key::Cpu(*number),
            _ => return None,
        };
        Some((function, key))
    }
}

/// The name shown for an outcome without one.
const UNNAMED: &str = "?";

fn outcome_form(function: Function, outcome: u8) -> KeyForm {
    match Key::outcome(function, outcome) {
        UNNAMED => KeyForm::Number(outcome.into()),
        name => KeyForm::Name(name.to_owned()),
    }
}

fn outcome(function: Function, form: &KeyForm) -> Option<u8> {
    match form {
        KeyForm::Number(number) => u8::try_from(*number).ok(),
        KeyForm::Name(name) => (0..u8::MAX)
            .take_while(|outcome| Key::outcome(function, *outcome) != UNNAMED)
            .find(|outcome| Key::outcome(function, *outcome) == name),
    }
}

fn function_named(name: &str) -> Option<Function> {
    Function::ALL.into_iter().find(|function| function.name() == name)
}

impl TallyForm {
    fn of(tally: &Tally) -> Self {
        Self {
            sum: tally.sum(),
            max: tally.max(),
            max_is_a_bound: !tally.max_is_exact(),
            buckets: tally.buckets().map(|(least, _, count)| (least, count)).collect(),
        }
    }

    fn tally(&self) -> Tally {
        Tally::of_buckets(&self.buckets, self.sum, self.max, !self.max_is_a_bound)
    }
}

impl CountsForm {
    fn of(counts: &Counts) -> Self {
        let unfinished = counts.unfinished.iter();
        Self {
            tracked_already: counts.tracked_already,
            untracked_already: counts.untracked_already,
            unfinished: unfinished
                .map(|(function, count)| (function.name().to_owned(), *count))
                .collect(),
        }
    }

    fn counts(&self) -> Counts {
        let unfinished = self.unfinished.iter();
        Counts {
            tracked_already: self.tracked_already,
            untracked_already: self.untracked_already,
            unfinished: unfinished
                .filter_map(|(name, count)| Some((function_named(name)?, *count)))
                .collect(),
        }
    }
}

impl GcForm {
    fn of(reading: &Reading) -> Self {
        let gc = &reading.gc;
        Self {
            hash_buckets: TallyForm::of(&gc.buckets),
            reaped: TallyForm::of(&gc.reaped),
            late_jiffies: TallyForm::of(&gc.late),
            evicted: gc.evicted,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::latency::{Gc, tally_of};

    fn tally() -> impl Strategy<Value = Tally> {
        (proptest::collection::vec(0..1_u64 << 45, 0..20), any::<bool>()).prop_map(|(values, as_interval)| {
            let tally = tally_of(&values);
            match as_interval {
                true => tally.since(&tally_of(&values[..values.len() / 2])),
                false => tally,
            }
        })
    }

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            Just(Key::All),
            (0..8_u8).prop_map(Key::Outcome),
            any::<u8>().prop_map(Key::Proto),
            any::<u32>().prop_map(Key::Netns),
            (0..8_u8).prop_map(Key::Hook),
            any::<u32>().prop_map(Key::Cpu),
        ]
    }

    prop_compose! {
        fn snapshot()(
            time_ns in any::<u64>(),
            durations in proptest::collection::btree_map(
                (proptest::sample::select(Function::ALL.to_vec()), key()), tally(), 0..8),
            (tracked_already, untracked_already, evicted) in any::<(u64, u64, u64)>(),
            unfinished in proptest::collection::btree_map(
                proptest::sample::select(Function::ALL.to_vec()), any::<u64>(), 0..8),
            (buckets, reaped, late) in (tally(), tally(), tally()),
            (table_buckets, malformed) in any::<(u32, u64)>(),
        ) -> Snapshot {
            Snapshot {
                time_ns,
                reading: Reading {
                    durations,
                    counts: Counts { tracked_already, untracked_already, unfinished },
                    gc: Gc { buckets, reaped, late, evicted },
                },
                losses: Losses { table_buckets, malformed, ..Losses::default() },
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_snapshot_is_equal_after_a_note(before in snapshot(), after in snapshot()) {
            // Counters of a measurement never vanish.
            let mut after = after;
            for (of, tally) in &before.reading.durations {
                after.reading.durations.entry(*of).or_insert_with(|| tally.clone());
            }
            let json = serde_json::to_vec(&Changes::between(&before, &after)).unwrap();
            let read: Changes = serde_json::from_slice(&json).unwrap();
            let mut now = before.clone();
            read.apply(&mut now);
            prop_assert_eq!(&now, &after);
            // A later file of a recording begins with all counters.
            let mut alone = Snapshot::default();
            Changes::between(&Snapshot::default(), &after).apply(&mut alone);
            prop_assert_eq!(&alone, &after);
        }
    }

    #[test]
    fn a_note_has_only_changes() {
        let mut before = Snapshot::default();
        let created = (Function::ConntrackIn, Key::Outcome(0));
        before.reading.durations.insert(created, tally_of(&[100]));
        let mut after = before.clone();
        after.time_ns = 9;
        after
            .reading
            .durations
            .insert((Function::Lock, Key::All), tally_of(&[17, 17, 1000]));
        let json = serde_json::to_value(Changes::between(&before, &after)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "time_ns": 9,
                "durations": [{
                    "function": "nf_conntrack_lock", "by": "all", "sum": 1034, "max": 1000,
                    "buckets": [[17, 2], [992, 1]],
                }],
            })
        );
    }

    #[test]
    fn what_a_newer_version_adds_is_skipped() {
        let json = r#"{"time_ns": 9, "new": 1, "durations": [
            {"function": "nf_conntrack_in", "by": "outcome", "key": "created", "sum": 100, "max": 100,
             "buckets": [[100, 1]], "min": 100},
            {"function": "nf_new", "by": "all", "sum": 1, "max": 1, "buckets": [[1, 1]]},
            {"function": "nf_conntrack_in", "by": "outcome", "key": "new", "sum": 1, "max": 1, "buckets": [[1, 1]]},
            {"function": "nf_conntrack_in", "by": "mark", "key": "0x1", "sum": 1, "max": 1, "buckets": [[1, 1]]}]}"#;
        let mut snapshot = Snapshot::default();
        serde_json::from_str::<Changes>(json)
            .unwrap()
            .apply(&mut snapshot);
        let keys: Vec<(Function, Key)> = snapshot.reading.durations.keys().copied().collect();
        assert_eq!(keys, [(Function::ConntrackIn, Key::Outcome(0))]);
        assert_eq!(snapshot.reading.total(Function::ConntrackIn), tally_of(&[100]));
    }
}
