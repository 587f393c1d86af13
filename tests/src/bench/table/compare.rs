//! Comparison of commands: run in turn, several times each, so that other load on the machine affects all alike; the
//! median counts.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{
    process::{self, Run},
    word,
};

/// One command of a comparison.
pub struct Case {
    /// Its name in the table.
    pub name: String,
    /// Program and arguments.
    pub line: Vec<String>,
    /// Its targets.
    pub targets: Vec<Target>,
}

/// A target of a case, compared with another case.
#[derive(Clone, Copy)]
pub enum Target {
    /// At most this multiple of the other's time.
    AtMost(f64, &'static str),
    /// At least this number of times as fast as the other.
    Faster(f64, &'static str),
    /// At most so much memory.
    PeakMib(u64),
}

/// Result of a case.
pub struct CaseResult {
    name: String,
    median: Duration,
    peak_kib: u64,
}

impl Case {
    /// A case without a target.
    pub fn new(name: impl Into<String>, line: &[&str]) -> Self {
        Self {
            name: name.into(),
            line: line.iter().map(|&word| word.to_owned()).collect(),
            targets: Vec::new(),
        }
    }

    /// The same with targets.
    pub fn with(mut self, targets: &[Target]) -> Self {
        self.targets = targets.to_vec();
        self
    }
}

/// Runs the cases in turn, `before` ahead of each, and prints them; returns the number of missed targets.
pub fn compare(
    netns: &str,
    title: &str,
    runs: usize,
    cases: &[Case],
    mut before: impl FnMut() -> Result<()>,
) -> Result<u32> {
    let mut taken: Vec<Vec<Run>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..runs {
        for (index, case) in cases.iter().enumerate() {
            before()?;
            taken[index].push(process::run(netns, &case.line)?.0);
        }
    }
    println!("\n{title}:\n");
    println!(
        "{:<42} {:>9} {:>9} {:>10}",
        "", "median s", "spread s", "peak MiB"
    );
    let mut missed = 0;
    let mut outcomes: Vec<CaseResult> = Vec::new();
    for (case, runs) in cases.iter().zip(&taken) {
        let mut times: Vec<Duration> = runs.iter().map(|run| run.took).collect();
        times.sort_unstable();
        let outcome = CaseResult {
            name: case.name.clone(),
            median: median(&times),
            peak_kib: runs.iter().map(|run| run.peak_kib).max().unwrap_or(0),
        };
        let spread = times[times.len() - 1] - times[0];
        println!(
            "{:<42} {:>9.3} {:>9.3} {:>10.1}",
            case.name,
            outcome.median.as_secs_f64(),
            spread.as_secs_f64(),
            outcome.peak_kib as f64 / 1024.0
        );
        for target in &case.targets {
            let (said, met) = target.of(&outcome, &outcomes)?;
            println!("    {said} {}", word(met));
            missed += u32::from(!met);
        }
        outcomes.push(outcome);
    }
    Ok(missed)
}

impl Target {
    /// The figure next to its target, and whether it was reached.
    fn of(self, outcome: &CaseResult, others: &[CaseResult]) -> Result<(String, bool)> {
        let other = |name: &str| {
            let other = others.iter().find(|other| other.name == name);
            other
                .map(|other| other.median.as_secs_f64())
                .with_context(|| format!("`{name}` must precede the case that is compared with it"))
        };
        let own = outcome.median.as_secs_f64();
        Ok(match self {
            Self::AtMost(most, name) => {
                let ratio = own / other(name)?;
                let said = format!("{ratio:.2} times `{name}`, target at most {most:.2}:");
                (said, ratio <= most)
            }
            Self::Faster(least, name) => {
                let ratio = other(name)? / own;
                let said = format!("{ratio:.2} times as fast as `{name}`, target at least {least:.2}:");
                (said, ratio >= least)
            }
            Self::PeakMib(most) => {
                let peak_mib = outcome.peak_kib as f64 / 1024.0;
                let said = format!("{peak_mib:.1} MiB, target at most {most}:");
                (said, outcome.peak_kib <= most * 1024)
            }
        })
    }
}

/// The middle of sorted times; of an even number of them, the mean of the two in the middle.
fn median(sorted: &[Duration]) -> Duration {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, millis: u64, peak_kib: u64) -> CaseResult {
        CaseResult {
            name: name.to_owned(),
            median: Duration::from_millis(millis),
            peak_kib,
        }
    }

    #[test]
    fn a_target_is_met_up_to_its_figure() {
        let others = [outcome("floor", 100, 0), outcome("other", 300, 0)];
        let own = outcome("ours", 110, 2048);
        let met = |target: Target| target.of(&own, &others).unwrap().1;
        assert!(met(Target::AtMost(1.11, "floor")));
        assert!(!met(Target::AtMost(1.09, "floor")));
        assert!(met(Target::Faster(2.7, "other")));
        assert!(!met(Target::Faster(2.8, "other")));
        assert!(met(Target::PeakMib(2)));
        assert!(!met(Target::PeakMib(1)));
        assert!(Target::AtMost(1.0, "absent").of(&own, &others).is_err());
    }

    #[test]
    fn the_median_is_the_middle() {
        let times: Vec<Duration> = [1, 2, 9, 40].map(Duration::from_secs).to_vec();
        assert_eq!(median(&times[..3]), Duration::from_secs(2));
        assert_eq!(median(&times), Duration::from_millis(5500));
    }
}
