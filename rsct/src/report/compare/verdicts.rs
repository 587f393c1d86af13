//! The comparison in sentences, the worst first.

use super::{
    super::{Finding, Gathered, Weight, findings::doubts},
    Comparison, Concern, Difference, FEWEST, Noise,
};
use crate::plural;

/// The sentences of a comparison. `shown` prints a figure's values.
pub(crate) fn verdicts(
    comparison: &Comparison,
    both: [&Gathered; 2],
    shown: impl Fn(&Difference) -> String,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (gathered, name) in both.into_iter().zip(["BEFORE", "AFTER"]) {
        found.extend(doubts(gathered).into_iter().map(|doubt| Finding {
            sentence: format!("{name}: {}", doubt.sentence),
            ..doubt
        }));
    }
    let fewest = comparison.intervals[0].min(comparison.intervals[1]);
    if fewest < FEWEST {
        found.push(Finding::new(
            Weight::Doubt,
            &format!(
                "Whether a difference is beyond the noise is unknown: the shorter recording has {}, and {FEWEST} are needed.",
                plural::count(fewest as u64, "interval", "intervals")
            ),
            Some("Record each for longer, at least 2 s."),
        ));
    }
    let beyond: Vec<&Difference> = comparison
        .differences
        .iter()
        .filter(|difference| difference.is_beyond())
        .collect();
    let grew = |difference: &&&Difference| difference.after > difference.before;
    let mut add = |weight, label: &str, difference: &Difference| {
        let text = format!("{label}: {}", shown(difference));
        found.push(Finding::new(weight, &text, None));
    };
    for (concern, label) in [
        (Concern::Slower, "Slower"),
        (Concern::Fuller, "Fuller"),
        (Concern::Worse, "Worse"),
    ] {
        let of = beyond.iter().filter(|difference| difference.concern == concern);
        of.filter(grew)
            .for_each(|difference| add(Weight::Fault, label, difference));
    }
    let load = |difference: &&&Difference| difference.concern == Concern::Load;
    for difference in beyond.iter().filter(load) {
        add(Weight::Note, "Load", difference);
    }
    for (concern, label) in [
        (Concern::Slower, "Faster"),
        (Concern::Fuller, "Emptier"),
        (Concern::Worse, "Better"),
    ] {
        let of = beyond.iter().filter(|difference| difference.concern == concern);
        of.filter(|difference| !grew(difference))
            .for_each(|difference| add(Weight::Good, label, difference));
    }
    let tested = comparison.differences.iter();
    let unknown = tested
        .clone()
        .filter(|of| matches!(of.noise, Noise::Unknown(_)))
        .count();
    let within = tested.filter(|of| matches!(of.noise, Noise::Within(_))).count();
    let is_bad = |difference: &&Difference| {
        difference.concern != Concern::Load && difference.after > difference.before
    };
    if fewest >= FEWEST && !beyond.iter().any(is_bad) {
        found.push(Finding::new(
            Weight::Good,
            match unknown {
                0 => "Nothing became slower, fuller or worse by more than the noise.",
                _ => "No figure with enough intervals became slower, fuller or worse by more than the noise.",
            },
            None,
        ));
    }
    if within > 0 {
        found.push(Finding::new(
            Weight::Note,
            &format!(
                "{} by no more than the noise.",
                plural::count(within as u64, "figure differs", "figures differ")
            ),
            None,
        ));
    }
    if unknown > 0 && fewest >= FEWEST {
        found.push(Finding::new(
            Weight::Note,
            &format!(
                "Unknown for {}: the table has the reasons.",
                plural::count(unknown as u64, "figure", "figures")
            ),
            None,
        ));
    }
    found
}
