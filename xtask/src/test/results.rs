//! Results and durations of all suites.

use std::{
    cmp::Ordering,
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::Result;

use crate::{
    progress,
    report::{Tally, Timed},
};

/// Number of slowest scenarios to print.
const SLOWEST: usize = 20;

/// Suites add their results from their own threads.
pub struct Results {
    /// True with a filter: a suite may then have nothing to run.
    filtered: bool,
    began: Instant,
    so_far: Mutex<SoFar>,
}

#[derive(Default)]
struct SoFar {
    total: Tally,
    /// Each suite with its seconds, in the order in which they ended.
    suites: Vec<(String, u64)>,
}

impl Results {
    /// No results.
    pub fn new(filtered: bool) -> Self {
        Self {
            filtered,
            began: Instant::now(),
            so_far: Mutex::default(),
        }
    }

    /// Runs one suite and adds its results; an error counts as a failure.
    pub fn suite(&self, name: &str, run: impl FnOnce() -> Result<Tally>) {
        let started = Instant::now();
        let tally = {
            let _step = progress::step(name);
            run().unwrap_or_else(|error| Tally::one(name, Some(format!("{error:#}"))))
        };
        self.add(name, tally, started);
    }

    /// Adds the results of a suite. Without tests it is omitted if there is a filter, and has failed otherwise.
    pub fn add(&self, name: &str, mut tally: Tally, started: Instant) {
        if tally.count() == 0 {
            if self.filtered {
                return;
            }
            tally = Tally::one(name, Some("no test ran".to_owned()));
        }
        let verdict = if tally.failures.is_empty() { "ok" } else { "FAILED" };
        let seconds = started.elapsed().as_secs();
        progress::hidden(|| {
            println!(
                "{name:<27} {verdict:<7} {:>4} tests, {} failed, {} skipped, in {seconds} s",
                tally.count(),
                tally.failures.len(),
                tally.skipped
            );
            // The reasons follow at the end; this says early what to look at.
            for (name, _) in &tally.failures {
                println!("    FAILED: {name}");
            }
        });
        let mut so_far = self.lock();
        so_far.suites.push((name.to_owned(), seconds));
        so_far.total.add(tally);
    }

    /// Prints the failures, the durations and, as the last line, the sum.
    pub fn close(&self) -> ExitCode {
        let so_far = self.lock();
        let total = &so_far.total;
        for (name, reasons) in &total.failures {
            println!("\n---- {name} ----");
            if !reasons.is_empty() {
                println!("{}", reasons.trim_end());
            }
        }
        print!("{}", times(&so_far, self.began.elapsed().as_secs()));
        if total.ran_nothing() {
            println!("\nno test ran");
        }
        println!("\n{}", total.closing());
        if total.failures.is_empty() && total.passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn lock(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Durations of the suites and of the slowest scenarios.
fn times(so_far: &SoFar, all_seconds: u64) -> String {
    let mut text = format!("\ntimes, of {all_seconds} s in all; suites overlap\n");
    let mut suites = so_far.suites.clone();
    suites.sort_by_key(|(_, seconds)| std::cmp::Reverse(*seconds));
    for (name, seconds) in &suites {
        text.push_str(&format!("{seconds:>7} s  {name}\n"));
    }
    let slowest = slowest(&so_far.total.times);
    if !slowest.is_empty() {
        text.push_str("\nslowest scenarios\n");
    }
    for Timed { place, name, seconds } in slowest {
        text.push_str(&format!("{seconds:>7.2} s  {name:<41} {place}\n"));
    }
    text
}

fn slowest(times: &[Timed]) -> Vec<&Timed> {
    let mut times: Vec<&Timed> = times.iter().collect();
    times.sort_by(|a, b| b.seconds.partial_cmp(&a.seconds).unwrap_or(Ordering::Equal));
    times.truncate(SLOWEST);
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(name: &str, seconds: f64) -> Timed {
        Timed {
            place: "guest 7.3 fentry".to_owned(),
            name: name.to_owned(),
            seconds,
        }
    }

    #[test]
    fn the_slowest_twenty_are_listed_first() {
        let times: Vec<Timed> = (0..30)
            .map(|n| timed(&n.to_string(), f64::from(n * 7 % 30)))
            .collect();
        let slowest: Vec<f64> = slowest(&times).iter().map(|time| time.seconds).collect();
        let expected: Vec<f64> = (10..30).rev().map(f64::from).collect();
        assert_eq!(slowest, expected);
    }

    #[test]
    fn the_longest_suite_and_the_slowest_scenario_are_first() {
        let so_far = SoFar {
            total: Tally {
                times: vec![timed("quick", 0.5), timed("slow", 12.25)],
                ..Tally::default()
            },
            suites: vec![("unit".to_owned(), 30), ("native".to_owned(), 99)],
        };
        let text = times(&so_far, 110);
        let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words}: {text}"));
        assert!(place("     99 s  native") < place("     30 s  unit"));
        assert!(place("  12.25 s  slow ") < place("   0.50 s  quick "));
        assert!(text.contains("guest 7.3 fentry\n"));
    }

    #[test]
    fn a_suite_that_runs_nothing_fails_unless_a_filter_leaves_it_out() {
        let unfiltered = Results::new(false);
        unfiltered.suite("unit", || Ok(Tally::default()));
        assert_eq!(unfiltered.lock().total.failures.len(), 1);
        let filtered = Results::new(true);
        filtered.suite("unit", || Ok(Tally::default()));
        assert_eq!(filtered.lock().total, Tally::default());
        assert!(filtered.lock().suites.is_empty());
    }
}
