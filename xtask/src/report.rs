//! Parsing and summing of test output.

/// Duration of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// The kernel and the form, as in `guest 7.3 fentry`; empty if not yet known.
    pub place: String,
    /// The scenario.
    pub name: String,
    /// Seconds from start to end.
    pub seconds: f64,
}

/// Results of some tests.
#[derive(Debug, Default, PartialEq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that were skipped, with a reason.
    pub skipped: usize,
    /// Name and reasons of each failed test.
    pub failures: Vec<(String, String)>,
    /// Durations of the tests that report them.
    pub times: Vec<Timed>,
}

impl Tally {
    /// The result of a single test.
    pub fn one(name: &str, complaint: Option<String>) -> Self {
        let mut tally = Self::default();
        match complaint {
            Some(reasons) => tally.failures.push((name.to_owned(), reasons)),
            None => tally.passed = 1,
        }
        tally
    }

    /// Adds the results of other tests.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
        self.times.extend(other.times);
    }

    /// The same results, with the place prefixed to each failure and each duration.
    pub fn at(mut self, place: &str) -> Self {
        for (name, _) in &mut self.failures {
            *name = format!("{place}: {name}");
        }
        for time in &mut self.times {
            time.place = place.to_owned();
        }
        self
    }

    /// Returns whether no test passed or failed.
    pub fn ran_nothing(&self) -> bool {
        self.passed == 0 && self.failures.is_empty()
    }

    /// Number of tests.
    pub fn count(&self) -> usize {
        self.passed + self.skipped + self.failures.len()
    }

    /// The closing line.
    pub fn closing(&self) -> String {
        let mut line = format!("{} passed, {} failed", self.passed, self.failures.len());
        if self.skipped > 0 {
            line.push_str(&format!(", {} skipped", self.skipped));
        }
        line
    }
}

/// Parses the output of `rsct-tests` while it runs.
///
/// `test NAME ... ok in 1.23 s`, `test NAME ... FAILED in 1.23 s` after indented lines with the reasons, `test NAME ...
/// skipped (reason)`, and a closing line that must agree with them.
#[derive(Default)]
pub struct Scenarios {
    tally: Tally,
    reasons: String,
    stray: Vec<String>,
    closing: Option<(usize, usize, usize)>,
}

impl Scenarios {
    /// Parses one line; returns the name of the test that it ends.
    pub fn line<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let line = line.trim_end();
        if let Some((name, outcome)) = outcome(line) {
            let reasons = std::mem::take(&mut self.reasons);
            match outcome {
                Outcome::Passed(_) => self.tally.passed += 1,
                Outcome::Failed(_) => self.tally.failures.push((name.to_owned(), reasons)),
                Outcome::Skipped => self.tally.skipped += 1,
            }
            if let Outcome::Passed(seconds) | Outcome::Failed(seconds) = outcome {
                self.tally.times.push(Timed {
                    place: String::new(),
                    name: name.to_owned(),
                    seconds,
                });
            }
            return Some(name);
        }
        if let Some(closing) = closing(line) {
            self.closing = Some(closing);
        } else if line.starts_with([' ', '\t']) {
            self.reasons.push_str(line);
            self.reasons.push('\n');
        } else if !line.is_empty() {
            self.stray.push(line.to_owned());
        }
        None
    }

    /// The results so far.
    pub fn so_far(&self) -> &Tally {
        &self.tally
    }

    /// The results of a program that was interrupted.
    pub fn interrupted(self) -> Tally {
        self.tally
    }

    /// The results after the program ended with `code`. An exit status that contradicts the lines counts as a failure.
    pub fn end(mut self, code: i32) -> Tally {
        let tally = (self.tally.passed, self.tally.failures.len(), self.tally.skipped);
        let wrong = match self.closing {
            None => Some("rsct-tests ended without its closing line".to_owned()),
            Some(closing) if closing != tally => Some(format!(
                "the closing line has {closing:?}, but the tests {tally:?} (passed, failed, skipped)"
            )),
            Some(_) if self.tally.ran_nothing() => Some("no scenario ran".to_owned()),
            Some(_) if code != 0 && tally.1 == 0 => Some("nothing failed".to_owned()),
            Some(_) if code == 0 && tally.1 != 0 => Some("tests failed".to_owned()),
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            let last = self.stray.len().saturating_sub(20);
            let text = format!("{}{}", self.reasons, self.stray[last..].join("\n"));
            self.tally.failures.push((
                "rsct-tests".to_owned(),
                format!("{wrong}, with exit status {code}\n{text}"),
            ));
        }
        self.tally
    }
}

/// A scenario's result and its seconds.
#[derive(Clone, Copy)]
enum Outcome {
    Passed(f64),
    Failed(f64),
    Skipped,
}

fn outcome(line: &str) -> Option<(&str, Outcome)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    if outcome.starts_with("skipped") {
        return Some((name, Outcome::Skipped));
    }
    let (outcome, seconds) = outcome.split_once(" in ")?;
    let seconds = seconds.strip_suffix(" s")?.parse().ok()?;
    match outcome {
        "ok" => Some((name, Outcome::Passed(seconds))),
        "FAILED" => Some((name, Outcome::Failed(seconds))),
        _ => None,
    }
}

fn closing(line: &str) -> Option<(usize, usize, usize)> {
    let mut parts = line.split(", ");
    let mut number = |what: &str| parts.next()?.strip_suffix(what)?.trim_end().parse().ok();
    let closing = (
        number("passed")?,
        number("failed")?,
        number("skipped").unwrap_or(0),
    );
    Some(closing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenarios(text: &str, code: i32) -> Tally {
        let mut scenarios = Scenarios::default();
        for line in text.lines() {
            scenarios.line(line);
        }
        scenarios.end(code)
    }

    #[test]
    fn the_protocol_is_added_up() {
        let tally = scenarios(
            "test a ... ok in 1.25 s\n  expected 1\n  got 2\ntest b ... FAILED in 0.50 s\n\
             test c ... skipped (no root)\n\n1 passed, 1 failed, 1 skipped\n",
            1,
        );
        assert_eq!((tally.passed, tally.skipped), (1, 1));
        assert_eq!(
            tally.failures,
            [("b".to_owned(), "  expected 1\n  got 2\n".to_owned())]
        );
        assert_eq!(tally.closing(), "1 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn times_have_their_place() {
        let tally = scenarios(
            "test a ... ok in 1.25 s\n  why\ntest b ... FAILED in 0.50 s\n1 passed, 1 failed\n",
            1,
        )
        .at("guest 7.3 fentry");
        let timed = |name: &str, seconds| Timed {
            place: "guest 7.3 fentry".to_owned(),
            name: name.to_owned(),
            seconds,
        };
        assert_eq!(tally.times, [timed("a", 1.25), timed("b", 0.5)]);
        assert_eq!(tally.failures[0].0, "guest 7.3 fentry: b");
    }

    #[test]
    fn an_outcome_without_its_time_does_not_count() {
        assert_eq!(
            scenarios("test a ... ok\n1 passed, 0 failed\n", 0).failures.len(),
            1
        );
        assert_eq!(
            scenarios("test a ... ok in x s\n1 passed, 0 failed\n", 0)
                .failures
                .len(),
            1
        );
    }

    #[test]
    fn a_run_without_scenarios_has_failed() {
        let nothing = scenarios("    no scenario ran\n0 passed, 0 failed, 0 skipped\n", 1);
        assert_eq!(nothing.failures.len(), 1);
        assert!(nothing.failures[0].1.contains("no scenario ran"), "{nothing:?}");
        let skipped = scenarios("test a ... skipped (no)\n0 passed, 0 failed, 1 skipped\n", 0);
        assert_eq!(skipped.failures.len(), 1);
    }

    #[test]
    fn an_end_without_a_closing_line_is_a_failure() {
        let tally = scenarios("test a ... ok in 0.10 s\nthread 'main' panicked\n", 101);
        assert_eq!(tally.passed, 1);
        assert!(tally.failures[0].1.contains("closing line, with exit status 101"));
        assert!(tally.failures[0].1.contains("panicked"));
        assert_eq!(scenarios("", 0).failures.len(), 1);
    }

    #[test]
    fn a_closing_line_must_agree() {
        assert_eq!(
            scenarios("test a ... ok in 0.10 s\n2 passed, 0 failed\n", 0)
                .failures
                .len(),
            1
        );
        assert_eq!(
            scenarios("test a ... ok in 0.10 s\n1 passed, 0 failed\n", 1)
                .failures
                .len(),
            1
        );
        assert_eq!(
            scenarios("test a ... ok in 0.10 s\n1 passed, 0 failed\n", 0)
                .failures
                .len(),
            0
        );
    }
}
