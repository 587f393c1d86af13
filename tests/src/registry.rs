//! Runs scenarios one after the other and prints one line for each, which `cargo xtask test` adds up.

use std::{process::ExitCode, time::Instant};

use anyhow::Result;

/// A story with an end: `Err` tells how it went wrong.
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// The story.
    pub run: fn() -> Result<()>,
}

/// An error that means: this cannot be told here. The scenario counts as skipped.
#[derive(Debug)]
pub struct Skip(pub String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// Runs the scenarios whose names contain one of `names`, or all of them.
pub fn run(scenarios: &[Scenario], names: &[String]) -> ExitCode {
    let wanted = |scenario: &&Scenario| {
        names.is_empty() || names.iter().any(|name| scenario.name.contains(name.as_str()))
    };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for Scenario { name, run } in scenarios.iter().filter(wanted) {
        let begin = Instant::now();
        let ended = run();
        let seconds = begin.elapsed().as_secs_f64();
        match ended {
            Ok(()) => {
                passed += 1;
                println!("test {name} ... ok in {seconds:.2} s");
            }
            Err(error) => {
                if let Some(Skip(reason)) = error.downcast_ref() {
                    skipped += 1;
                    println!("test {name} ... skipped ({reason})");
                } else {
                    failed += 1;
                    for line in format!("{error:#}").lines() {
                        println!("    {line}");
                    }
                    println!("test {name} ... FAILED in {seconds:.2} s");
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    ExitCode::from(u8::from(failed > 0))
}
