//! Parsing and summing of `cargo test` output.

use crate::{exec, report::Tally};

/// Sums the results in `output`; `success` is that of the exit status.
pub fn tally(output: &str, success: bool) -> Tally {
    let mut sum = Tally::default();
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
        sum.passed += number("passed");
        sum.skipped += number("ignored");
        // One entry per failure, for the count; the first has all the text.
        for _ in 0..number("failed") {
            let reasons = if sum.failures.is_empty() {
                complaints(output)
            } else {
                String::new()
            };
            sum.failures.push(("cargo test".to_owned(), reasons));
        }
    }
    if !success && sum.failures.is_empty() {
        sum.failures
            .push(("cargo test".to_owned(), exec::tail(output, 60)));
    }
    sum
}

/// The output of `cargo test` without the successful tests.
fn complaints(output: &str) -> String {
    let good =
        |line: &&str| !line.ends_with("... ok") && !line.starts_with("test result: ok") && !line.is_empty();
    output.lines().filter(good).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tests_results_are_added_up() {
        let output = "test x ... ok\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; \
                      finished in 0.01s\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
        let tally = tally(output, false);
        assert_eq!((tally.passed, tally.skipped, tally.failures.len()), (4, 1, 2));
        assert!(!tally.failures[0].1.contains("test x"));
    }

    #[test]
    fn a_compile_error_is_a_failure() {
        let tally = tally("error[E0308]: mismatched types\n", false);
        assert_eq!(tally.failures.len(), 1);
        assert_eq!(tally.closing(), "0 passed, 1 failed");
    }
}
