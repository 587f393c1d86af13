//! Reads what test programs print, and adds it up.

/// What came of some tests.
#[derive(Debug, Default, PartialEq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that did not run, for a reason they gave.
    pub skipped: usize,
    /// A name and the reasons for each test that failed.
    pub failures: Vec<(String, String)>,
}

impl Tally {
    /// A single test's outcome.
    pub fn one(name: &str, complaint: Option<String>) -> Self {
        let mut tally = Self::default();
        match complaint {
            Some(reasons) => tally.failures.push((name.to_owned(), reasons)),
            None => tally.passed = 1,
        }
        tally
    }

    /// Adds what came of other tests.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
    }

    /// How many tests these are.
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

/// Follows `rsct-tests`, line by line while it runs.
///
/// `test NAME ... ok`, `test NAME ... FAILED` after indented lines with the reasons, `test NAME ... skipped
/// (reason)`, and a closing line that must agree with them.
#[derive(Default)]
pub struct Scenarios {
    tally: Tally,
    reasons: String,
    stray: Vec<String>,
    closing: Option<(usize, usize, usize)>,
}

impl Scenarios {
    /// Takes one line and returns the name of the test that ended with it.
    pub fn line<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let line = line.trim_end();
        if let Some((name, outcome)) = outcome(line) {
            let reasons = std::mem::take(&mut self.reasons);
            if outcome == "ok" {
                self.tally.passed += 1;
            } else if outcome == "FAILED" {
                self.tally.failures.push((name.to_owned(), reasons));
            } else {
                self.tally.skipped += 1;
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

    /// What has come of the tests until now.
    pub fn so_far(&self) -> &Tally {
        &self.tally
    }

    /// The sum of a program that could not come to its end.
    pub fn interrupted(self) -> Tally {
        self.tally
    }

    /// The sum, once the program has ended with `code`. An end that does not fit the lines is a failure too.
    pub fn end(mut self, code: i32) -> Tally {
        let tally = (self.tally.passed, self.tally.failures.len(), self.tally.skipped);
        let wrong = match self.closing {
            None => Some("it ended without its closing line".to_owned()),
            Some(closing) if closing != tally => Some(format!(
                "its closing line says {closing:?}, its tests {tally:?} (passed, failed, skipped)"
            )),
            Some(_) if code != 0 && tally.1 == 0 => Some("nothing failed".to_owned()),
            Some(_) if code == 0 && tally.1 != 0 => Some("tests failed".to_owned()),
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            let last = self.stray.len().saturating_sub(20);
            let said = format!("{}{}", self.reasons, self.stray[last..].join("\n"));
            self.tally.failures.push((
                "rsct-tests".to_owned(),
                format!("{wrong}, with exit status {code}\n{said}"),
            ));
        }
        self.tally
    }
}

fn outcome(line: &str) -> Option<(&str, &str)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let known = ["ok", "FAILED"].contains(&outcome) || outcome.starts_with("skipped");
    known.then_some((name, outcome))
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

/// Adds up what `cargo test` printed; it ended well if `success`.
pub fn cargo_test(output: &str, success: bool) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines() {
        let Some(result) = line.strip_prefix("test result: ") else {
            continue;
        };
        let number = |what: &str| {
            result
                .split(['.', ';'])
                .find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<usize>().ok())
                .unwrap_or(0)
        };
        tally.passed += number("passed");
        tally.skipped += number("ignored");
        // One entry for each, so that they count; the first tells all.
        for _ in 0..number("failed") {
            let reasons = if tally.failures.is_empty() {
                complaints(output)
            } else {
                String::new()
            };
            tally.failures.push(("cargo test".to_owned(), reasons));
        }
    }
    if !success && tally.failures.is_empty() {
        tally
            .failures
            .push(("cargo test".to_owned(), crate::exec::tail(output, 60)));
    }
    tally
}

/// What is left of `cargo test`'s output without the good news.
fn complaints(output: &str) -> String {
    let good =
        |line: &&str| !line.ends_with("... ok") && !line.starts_with("test result: ok") && !line.is_empty();
    output.lines().filter(good).collect::<Vec<_>>().join("\n")
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
            "test a ... ok\n  expected 1\n  got 2\ntest b ... FAILED\ntest c ... skipped (no root)\n\n\
             1 passed, 1 failed, 1 skipped\n",
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
    fn an_end_without_a_closing_line_is_a_failure() {
        let tally = scenarios("test a ... ok\nthread 'main' panicked\n", 101);
        assert_eq!(tally.passed, 1);
        assert!(tally.failures[0].1.contains("closing line, with exit status 101"));
        assert!(tally.failures[0].1.contains("panicked"));
        assert_eq!(scenarios("", 0).failures.len(), 1);
    }

    #[test]
    fn a_closing_line_must_agree() {
        assert_eq!(
            scenarios("test a ... ok\n2 passed, 0 failed\n", 0).failures.len(),
            1
        );
        assert_eq!(
            scenarios("test a ... ok\n1 passed, 0 failed\n", 1).failures.len(),
            1
        );
        assert_eq!(
            scenarios("test a ... ok\n1 passed, 0 failed\n", 0).failures.len(),
            0
        );
        assert_eq!(scenarios("0 passed, 0 failed, 0 skipped\n", 0), Tally::default());
    }

    #[test]
    fn cargo_tests_results_are_added_up() {
        let output = "test x ... ok\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; \
                      finished in 0.01s\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
        let tally = cargo_test(output, false);
        assert_eq!((tally.passed, tally.skipped, tally.failures.len()), (4, 1, 2));
        assert!(!tally.failures[0].1.contains("test x"));
    }

    #[test]
    fn what_does_not_compile_has_failed() {
        let tally = cargo_test("error[E0308]: mismatched types\n", false);
        assert_eq!(tally.failures.len(), 1);
        assert_eq!(tally.closing(), "0 passed, 1 failed");
    }
}
