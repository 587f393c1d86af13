//! Runs scenarios one after the other and prints one line for each, which `cargo xtask test` adds up.

use std::{fmt, fs, process::ExitCode, str::FromStr, time::Instant};

use anyhow::Result;

/// A test with an end: `Err` describes the failure.
pub struct Scenario {
    /// Its name, which filters select by.
    pub name: &'static str,
    /// How often it runs on a kernel.
    pub runs: Runs,
    /// Where it may be skipped.
    pub skips: &'static [MaySkip],
    /// The test itself.
    pub run: fn() -> Result<()>,
}

/// How often a scenario runs on a kernel whose programs are tested in several forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// In every form that is tested on the kernel.
    EachForm,
    /// In the first form only, for this reason.
    Once(&'static str),
    /// In the first form on the oldest and on the newest kernel only, for this reason.
    Ends(&'static str),
    /// In each form on the oldest and on the newest kernel only, for this reason.
    EndsEachForm(&'static str),
    /// In the first form on the newest kernel only, for this reason.
    Newest(&'static str),
}

/// A kernel on which a scenario may be skipped.
#[derive(Clone, Copy, Debug)]
pub struct MaySkip {
    /// Beginning of the kernel's release, such as `7.3`; empty for any kernel.
    pub kernel: &'static str,
    /// The feature that this kernel lacks.
    pub reason: &'static str,
}

/// An error for a kernel or machine that cannot run the scenario. It counts as skipped where the scenario lists the
/// kernel, and as failed elsewhere.
#[derive(Debug)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// The scenarios that a run includes.
#[derive(Debug, Default)]
pub struct Selection<'a> {
    /// Parts of names, of which a scenario needs one; empty for all scenarios.
    pub names: &'a [String],
    /// Only scenarios that run in each form.
    pub each_form: bool,
    /// Excludes scenarios that run on the newest kernel only.
    pub not_newest: bool,
    /// Excludes scenarios that run on the oldest and on the newest kernel only.
    pub between: bool,
    /// Of all these, a share; the others run in other guests.
    pub part: Part,
}

/// One of several equal shares of the scenarios: every `of`th, from number `index` on.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    index: usize,
    of: usize,
}

impl Default for Part {
    fn default() -> Self {
        Self { index: 0, of: 1 }
    }
}

impl FromStr for Part {
    type Err = String;

    /// Reads `2/3`: the second of three.
    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (number, of) = text.split_once('/')?;
            let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
            (1..=of).contains(&number).then(|| Self {
                index: number - 1,
                of,
            })
        };
        read().ok_or_else(|| format!("{text} is no share such as 2/3"))
    }
}

impl<'a> Selection<'a> {
    /// The scenarios that the run includes.
    fn of(&self, scenarios: &'a [Scenario]) -> impl Iterator<Item = &'a Scenario> {
        scenarios
            .iter()
            .filter(|scenario| self.includes(scenario))
            .skip(self.part.index)
            .step_by(self.part.of)
    }

    fn includes(&self, scenario: &Scenario) -> bool {
        let named = self.names.is_empty()
            || self
                .names
                .iter()
                .any(|name| scenario.name.contains(name.as_str()));
        named
            && match scenario.runs {
                Runs::EachForm => true,
                Runs::Once(_) => !self.each_form,
                Runs::Ends(_) => !self.each_form && !self.between,
                Runs::EndsEachForm(_) => !self.between,
                Runs::Newest(_) => !self.each_form && !self.not_newest,
            }
    }
}

/// Runs one scenario.
pub type Runner = fn(&Scenario) -> Result<()>;

/// Runs a scenario, and nothing before it.
pub fn plainly(scenario: &Scenario) -> Result<()> {
    (scenario.run)()
}

/// Runs the selected scenarios. A run in which no scenario ran has failed.
pub fn run(scenarios: &[Scenario], selection: &Selection<'_>, runner: Runner) -> ExitCode {
    if ends_well(scenarios, selection, runner) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn ends_well(scenarios: &[Scenario], selection: &Selection<'_>, runner: Runner) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for scenario in selection.of(scenarios) {
        let name = scenario.name;
        let begin = Instant::now();
        let ended = runner(scenario);
        let seconds = begin.elapsed().as_secs_f64();
        match Outcome::of(scenario, release.trim(), ended) {
            Outcome::Passed => {
                passed += 1;
                println!("test {name} ... ok in {seconds:.2} s");
            }
            Outcome::Skipped(reason) => {
                skipped += 1;
                println!("test {name} ... skipped ({reason})");
            }
            Outcome::Failed(reasons) => {
                failed += 1;
                for line in reasons.lines() {
                    println!("    {line}");
                }
                println!("test {name} ... FAILED in {seconds:.2} s");
            }
        }
    }
    if passed + failed == 0 {
        println!("    no scenario ran");
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    failed == 0 && passed > 0
}

/// Prints scenarios for `cargo xtask test --plan`: kind, name, runs and kernels that may skip it, between tabs.
pub fn list(kind: &str, scenarios: &[Scenario]) {
    for scenario in scenarios {
        println!("{kind}\t{scenario}");
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t", self.name)?;
        match self.runs {
            Runs::EachForm => f.write_str("each-form")?,
            Runs::Once(reason) => write!(f, "once: {reason}")?,
            Runs::Ends(reason) => write!(f, "ends: {reason}")?,
            Runs::EndsEachForm(reason) => write!(f, "ends-each-form: {reason}")?,
            Runs::Newest(reason) => write!(f, "newest: {reason}")?,
        }
        for MaySkip { kernel, reason } in self.skips {
            let kernel = if kernel.is_empty() { "any" } else { kernel };
            write!(f, "\t{kernel}: {reason}")?;
        }
        Ok(())
    }
}

/// Outcome of a scenario.
#[derive(Debug, PartialEq)]
enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

impl Outcome {
    fn of(scenario: &Scenario, release: &str, ended: Result<()>) -> Self {
        let Err(error) = ended else {
            return Self::Passed;
        };
        match error.downcast_ref() {
            Some(Skip(reason)) if scenario.skips.iter().any(|skip| skip.covers(release)) => {
                Self::Skipped(reason.clone())
            }
            Some(Skip(reason)) => Self::Failed(format!(
                "{reason}; the scenario may not be skipped on Linux {release} (tests/src/registry.rs, MaySkip)"
            )),
            None => Self::Failed(format!("{error:#}")),
        }
    }
}

impl MaySkip {
    /// Returns whether this is the kernel: 6.1 covers 6.1.0-56 and not 6.12.
    fn covers(&self, release: &str) -> bool {
        let rest = release.strip_prefix(self.kernel);
        rest.is_some_and(|rest| self.kernel.is_empty() || !rest.starts_with(|c: char| c.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Scenario = Scenario {
        name: "new",
        runs: Runs::EachForm,
        skips: &[MaySkip {
            kernel: "6.1",
            reason: "6.1 does not have it",
        }],
        run: || Ok(()),
    };

    #[test]
    fn a_skip_is_a_failure_where_the_scenario_does_not_list_the_kernel() {
        let skip = || Err(Skip("no such hook".to_owned()).into());
        assert_eq!(
            Outcome::of(&NEW, "6.1.0-56-cloud-amd64", skip()),
            Outcome::Skipped("no such hook".to_owned())
        );
        for other in ["6.12.95+deb13-cloud-amd64", "7.3.1"] {
            assert!(
                matches!(Outcome::of(&NEW, other, skip()), Outcome::Failed(_)),
                "{other}"
            );
        }
        assert_eq!(Outcome::of(&NEW, "7.3.1", Ok(())), Outcome::Passed);
    }

    #[test]
    fn any_kernel_is_covered_by_an_empty_prefix() {
        let any = MaySkip {
            kernel: "",
            reason: "",
        };
        assert!(any.covers("6.1.0") && any.covers("7.3"));
    }

    #[test]
    fn a_run_without_scenarios_fails() {
        let names = ["nothing".to_owned()];
        let nothing = Selection {
            names: &names,
            ..Selection::default()
        };
        assert!(!ends_well(&[NEW], &nothing, plainly));
        assert!(ends_well(&[NEW], &Selection::default(), plainly));
    }

    #[test]
    fn a_run_that_skips_every_scenario_fails() {
        let always = Scenario {
            skips: &[MaySkip {
                kernel: "",
                reason: "never here",
            }],
            run: || Err(Skip("never here".to_owned()).into()),
            ..NEW
        };
        assert!(!ends_well(&[always], &Selection::default(), plainly));
    }

    #[test]
    fn a_run_of_each_form_excludes_scenarios_that_run_once() {
        let once = Scenario {
            runs: Runs::Once("netlink"),
            ..NEW
        };
        let each_form = Selection {
            each_form: true,
            ..Selection::default()
        };
        assert!(!each_form.includes(&once) && each_form.includes(&NEW));
        assert!(Selection::default().includes(&once));
    }

    #[test]
    fn only_a_run_on_the_newest_kernel_includes_its_scenarios() {
        let newest = Scenario {
            runs: Runs::Newest("text"),
            ..NEW
        };
        let selected = |each_form, not_newest| {
            let selection = Selection {
                each_form,
                not_newest,
                ..Selection::default()
            };
            selection.includes(&newest)
        };
        assert!(selected(false, false));
        assert!(!selected(true, false) && !selected(false, true));
        assert_eq!(newest.to_string(), "new\tnewest: text\t6.1: 6.1 does not have it");
    }

    #[test]
    fn runs_on_kernels_between_exclude_scenarios_of_the_oldest_and_the_newest() {
        let ends = Scenario {
            runs: Runs::Ends("library"),
            ..NEW
        };
        let selected = |each_form, between| {
            let selection = Selection {
                each_form,
                between,
                not_newest: true,
                ..Selection::default()
            };
            selection.includes(&ends)
        };
        assert!(selected(false, false));
        assert!(!selected(true, false) && !selected(false, true));
        assert_eq!(ends.to_string(), "new\tends: library\t6.1: 6.1 does not have it");
    }

    #[test]
    fn parts_share_out_all_scenarios() {
        let three = ["a", "b", "c"].map(|name| Scenario { name, ..NEW });
        let all: [String; 0] = [];
        let two = ["a".to_owned(), "c".to_owned()];
        let selected = |names: &[String], part: &str| -> Vec<&'static str> {
            let selection = Selection {
                names,
                part: part.parse().unwrap(),
                ..Selection::default()
            };
            selection.of(&three).map(|scenario| scenario.name).collect()
        };
        assert_eq!(selected(&all, "1/2"), ["a", "c"]);
        assert_eq!(selected(&all, "2/2"), ["b"]);
        // Shares of the selected scenarios, not of all.
        assert_eq!(selected(&two, "1/2"), ["a"]);
        assert_eq!(selected(&two, "2/2"), ["c"]);
        for wrong in ["0/2", "3/2", "1", "1/0", "a/b"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_listed_scenario_has_its_reasons() {
        assert_eq!(NEW.to_string(), "new\teach-form\t6.1: 6.1 does not have it");
        let once = Scenario {
            runs: Runs::Once("netlink"),
            skips: &[],
            ..NEW
        };
        assert_eq!(once.to_string(), "new\tonce: netlink");
    }
}
