//! The comparison of two recordings: which figures differ, and whether by more than the noise.
//!
//! Each recording is cut into the same number of about equal intervals. A difference is beyond the noise if the rank test
//! of the intervals' values finds so great a one by chance in fewer than 1 of 100 comparisons, all figures together.

mod figures;
mod rank;
mod verdicts;

pub(crate) use figures::{Concern, Unit};
pub(crate) use verdicts::verdicts;

use super::Gathered;

/// Fewer intervals cannot distinguish a difference from noise, given the number of figures.
pub(crate) const FEWEST: usize = 10;
/// More intervals would be shorter than bursts of traffic.
const MOST: usize = 20;
/// The chance that a comparison of recordings of the same kind has any difference beyond the noise.
pub(crate) const LEVEL: f64 = 0.01;

/// Whether a difference is beyond the noise.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Noise {
    /// It is, at this chance.
    Beyond(f64),
    /// It is not.
    Within(f64),
    /// That is unknown, for this reason.
    Unknown(String),
}

/// A figure of both recordings.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// The meaning of growth.
    pub concern: Concern,
    /// Its value in the first recording; none if that has no such figure.
    pub before: Option<f64>,
    /// Its value in the second.
    pub after: Option<f64>,
    /// Whether the difference is beyond the noise.
    pub noise: Noise,
}

impl Difference {
    /// The growth in percent; none from zero.
    pub(crate) fn percent(&self) -> Option<f64> {
        let (before, after) = (self.before?, self.after?);
        (before > 0.0).then(|| (after - before) * 100.0 / before)
    }

    /// Returns whether it is beyond the noise.
    pub(crate) fn is_beyond(&self) -> bool {
        matches!(self.noise, Noise::Beyond(_))
    }
}

/// Two recordings, compared.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// Their figures.
    pub differences: Vec<Difference>,
    /// The intervals of each recording.
    pub intervals: [usize; 2],
}

/// Compares two recordings.
pub(crate) fn compare(before: &Gathered, after: &Gathered) -> Comparison {
    // The shorter recording limits both: the values of longer intervals would vary less.
    let fewest = [before, after].map(|gathered| gathered.series.intervals(MOST).len());
    let most = fewest[0].min(fewest[1]).max(1);
    let both = [before, after].map(|gathered| gathered.series.intervals(most));
    let figures = figures::of(before, after, &both);
    let tests = figures.len().max(1) as f64;
    let difference = |figure: figures::Figure| Difference {
        noise: noise(&figure.values, LEVEL / tests),
        name: figure.name,
        unit: figure.unit,
        concern: figure.concern,
        before: figure.whole[0],
        after: figure.whole[1],
    };
    Comparison {
        differences: figures.into_iter().map(difference).collect(),
        intervals: both.map(|intervals| intervals.len()),
    }
}

/// Judges the values of the intervals.
fn noise(values: &[Vec<f64>; 2], level: f64) -> Noise {
    for (values, name) in values.iter().zip(["BEFORE", "AFTER"]) {
        if values.len() < FEWEST {
            return Noise::Unknown(format!(
                "{name} has {} intervals with this figure, and {FEWEST} are needed",
                values.len()
            ));
        }
    }
    match rank::chance(&values[0], &values[1]) {
        chance if chance < level => Noise::Beyond(chance),
        chance => Noise::Within(chance),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As many figures as a comparison without causes has.
    const FIGURES: f64 = 14.0;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn halves_of_a_steady_series_rarely_differ(
            values in proptest::collection::vec(0.0_f64..1000.0, 1000),
        ) {
            // 50 comparisons at the level of one: less than 1 of them is expected, and 6 almost never.
            let beyond = values
                .chunks(20)
                .filter(|values| {
                    let (one, other) = values.split_at(10);
                    matches!(noise(&[one.to_vec(), other.to_vec()], LEVEL), Noise::Beyond(_))
                })
                .count();
            prop_assert!(beyond < 6, "{beyond} of 50");
        }

        #[test]
        fn a_shifted_series_differs(
            one in proptest::collection::vec(0.0_f64..100.0, 10..=20),
            other in proptest::collection::vec(0.0_f64..100.0, 10..=20),
        ) {
            let shifted: Vec<f64> = other.iter().map(|value| value + 100.0).collect();
            let level = LEVEL / FIGURES;
            prop_assert!(matches!(noise(&[one.clone(), shifted.clone()], level), Noise::Beyond(_)));
            prop_assert!(matches!(noise(&[shifted, one.clone()], level), Noise::Beyond(_)));
            let mut turned = one.clone();
            turned.reverse();
            prop_assert_eq!(noise(&[one, turned], level), Noise::Within(1.0));
        }
    }

    #[test]
    fn too_few_intervals_are_unknown() {
        let noise = noise(&[vec![1.0; 20], vec![9.0; 3]], LEVEL);
        assert_eq!(
            noise,
            Noise::Unknown("AFTER has 3 intervals with this figure, and 10 are needed".to_owned())
        );
    }
}
