//! Scales of charts: round values for lines and labels.

/// The most lines of a scale.
const MOST: f64 = 5.0;
/// Steps of time in seconds.
const TIME_STEPS: [f64; 24] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0,
    3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 172_800.0, 604_800.0,
];

/// Round values from zero up to `most`, both included, and the top of the scale. Whole values have no fractions between.
pub(super) fn ticks(most: f64, are_whole: bool) -> (Vec<f64>, f64) {
    if most.is_nan() || most <= 0.0 {
        return (vec![0.0, 1.0], 1.0);
    }
    let power = 10_f64.powf((most / MOST).log10().floor());
    let rounds = [1.0, 2.0, 5.0, 10.0].map(|round| round * power);
    let step = rounds
        .into_iter()
        .find(|step| most / step <= MOST)
        .unwrap_or(10.0 * power);
    let step = if are_whole { step.max(1.0) } else { step };
    let count = (most / step - 1e-9).ceil().max(1.0);
    let ticks = (0..=count as u32)
        .map(|number| f64::from(number) * step)
        .collect();
    (ticks, count * step)
}

/// Round times up to `end_s`.
pub(super) fn times(end_s: f64) -> Vec<f64> {
    let step = TIME_STEPS
        .into_iter()
        .find(|step| end_s / step <= 6.0)
        .unwrap_or(604_800.0 * (end_s / 604_800.0 / 6.0).ceil());
    let count = (end_s / step + 1e-9).floor() as u32;
    (0..=count).map(|number| f64::from(number) * step).collect()
}

/// A time in the largest unit of which `step` is a multiple, so that all labels have the same unit.
pub(super) fn time(seconds: f64, step: f64) -> String {
    let units = [(86_400.0, "d"), (3600.0, "h"), (60.0, "min")];
    let unit = units
        .into_iter()
        .find(|(unit, _)| step >= *unit && (step / unit).fract().abs() < 1e-6);
    match unit {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{} s", (seconds * 1000.0).round() / 1000.0),
    }
}

/// A number with at most three digits after its first, and a unit for great ones.
pub(crate) fn number(value: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (scaled, unit) = units
        .into_iter()
        .find(|(least, _)| value.abs() >= least * 9.9995)
        .map_or((value, ""), |(least, unit)| (value / least, unit));
    let digits = match scaled.abs() {
        0.0 => 0,
        of if of < 1.0 => 3,
        of if of < 10.0 => 2,
        of if of < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{scaled:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        assert_eq!(ticks(0.0, false).1, 1.0);
        assert_eq!(ticks(1.0, true), (vec![0.0, 1.0], 1.0));
        assert_eq!(ticks(5.0, false), (vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 5.0));
        assert_eq!(ticks(110.0, false), (vec![0.0, 50.0, 100.0, 150.0], 150.0));
        for most in [0.003, 1.0, 7.0, 99.0, 12_345.0, 9.9e17] {
            let (ticks, top) = ticks(most, false);
            assert!(
                top >= most && top <= most * 2.0 + 1e-9 && ticks.len() <= 7,
                "{most}: {ticks:?}"
            );
        }
    }

    #[test]
    fn times_are_round() {
        assert_eq!(times(10.0).len(), 6);
        assert_eq!(times(3600.0).last(), Some(&3600.0));
        assert_eq!(times(0.0), [0.0]);
        for end in [0.05, 1.0, 61.0, 7000.0, 604_800.0, 1e8] {
            assert!((2..=7).contains(&times(end).len()), "{end}: {:?}", times(end));
        }
        let labels = [
            (0.5, 0.5),
            (60.0, 30.0),
            (120.0, 60.0),
            (5400.0, 1800.0),
            (86_400.0, 86_400.0),
        ];
        assert_eq!(
            labels.map(|(at, step)| time(at, step)),
            ["0.5 s", "60 s", "2 min", "90 min", "1 d"]
        );
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.25, 7.0, 12.34, 150.0, 9999.0, 12_345.0, 2.5e6].map(number);
        assert_eq!(texts, ["0", "0.25", "7", "12.3", "150", "9999", "12.3k", "2500k"]);
    }
}
