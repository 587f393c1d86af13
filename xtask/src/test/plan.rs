//! Assignment of scenarios to kernels and forms, and the order of the boots.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

use crate::kernels;

/// Number of boots at the end of the queue that are halved.
const HALVED: usize = 3;
/// A boot with fewer scenarios stays whole.
const WORTH_HALVING: usize = 20;

/// How often a scenario runs, with the reason if it does not run in each form.
#[derive(Debug, PartialEq)]
pub enum Runs {
    /// In each form of each kernel.
    EachForm,
    /// In the first form of each kernel.
    Once(String),
    /// In the first form of the oldest and of the newest kernel.
    Ends(String),
    /// In each form of the oldest and of the newest kernel.
    EndsEachForm(String),
    /// In the first form of the newest kernel.
    Newest(String),
}

/// A scenario as `rsct-tests list` has it.
#[derive(Debug, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// How often it runs.
    pub runs: Runs,
    /// Kernels that may skip it, each with the reason.
    pub skips: Vec<String>,
}

/// All scenarios.
#[derive(Debug, Default, PartialEq)]
pub struct Listed {
    /// The scenarios for this machine.
    pub native: Vec<Scenario>,
    /// The scenarios for guests.
    pub guest: Vec<Scenario>,
}

/// One boot of a kernel, in which scenarios attach in one form.
#[derive(Clone, Debug, PartialEq)]
pub struct Boot {
    /// As `--kernel`.
    pub kernel: String,
    /// As `rsct --attach`.
    pub form: &'static str,
    /// True if another boot of the kernel runs all of its scenarios, so that this one runs only those for each form.
    pub each_form: bool,
    /// Number of its share of these scenarios, from 1 on, and the number of shares.
    pub part: (usize, usize),
}

impl Listed {
    /// Parses the output of `rsct-tests list`: kind, name, frequency and skips, separated by tabs.
    pub fn parse(list: &str) -> Result<Self> {
        let mut listed = Self::default();
        for line in list.lines() {
            let mut fields = line.split('\t');
            let (kind, name, runs) = (fields.next(), fields.next(), fields.next());
            let scenario = || -> Option<Scenario> {
                let runs = match runs?.split_once(": ") {
                    None if runs? == "each-form" => Runs::EachForm,
                    Some(("once", reason)) => Runs::Once(reason.to_owned()),
                    Some(("ends", reason)) => Runs::Ends(reason.to_owned()),
                    Some(("ends-each-form", reason)) => Runs::EndsEachForm(reason.to_owned()),
                    Some(("newest", reason)) => Runs::Newest(reason.to_owned()),
                    _ => return None,
                };
                Some(Scenario {
                    name: name?.to_owned(),
                    runs,
                    skips: fields.map(str::to_owned).collect(),
                })
            };
            let scenario = scenario().with_context(|| format!("rsct-tests lists {line:?}"))?;
            match kind {
                Some("native") => listed.native.push(scenario),
                Some("guest") => listed.guest.push(scenario),
                _ => bail!("rsct-tests lists {line:?}"),
            }
        }
        Ok(listed)
    }

    /// Keeps only scenarios whose name contains the filter.
    pub fn retain(&mut self, filter: Option<&str>) {
        let named = |scenario: &Scenario| filter.is_none_or(|filter| scenario.name.contains(filter));
        self.native.retain(named);
        self.guest.retain(named);
    }
}

impl Boot {
    /// The boots of these kernels: one for each form that a kernel is tested in.
    pub fn all(kernels: &[String]) -> Vec<Self> {
        let mut boots = Vec::new();
        for kernel in kernels {
            for (index, form) in kernels::forms(kernel).iter().copied().enumerate() {
                boots.push(Self {
                    kernel: kernel.clone(),
                    form,
                    each_form: index > 0,
                    part: (1, 1),
                });
            }
        }
        boots
    }

    /// Returns whether the scenario runs in this boot.
    pub fn runs(&self, scenario: &Scenario) -> bool {
        match scenario.runs {
            Runs::EachForm => true,
            Runs::Once(_) => !self.each_form,
            Runs::Ends(_) => !self.each_form && !self.is_between(),
            Runs::EndsEachForm(_) => !self.is_between(),
            Runs::Newest(_) => self.is_newest(),
        }
    }

    /// True for the newest kernel in the form that rsct prefers.
    pub fn is_newest(&self) -> bool {
        self.kernel == kernels::newest() && !self.each_form
    }

    /// True for a kernel that is neither the oldest nor the newest.
    pub fn is_between(&self) -> bool {
        ![kernels::oldest(), kernels::newest()].contains(&self.kernel.as_str())
    }

    /// True for the boot in which every scenario runs on all processors. In the others only scenarios about several
    /// processors do.
    pub fn all_cpus(&self) -> bool {
        self.is_newest()
    }

    /// Number of the scenarios that it runs.
    pub fn count(&self, scenarios: &[Scenario]) -> usize {
        let (number, of) = self.part;
        let all = scenarios.iter().filter(|scenario| self.runs(scenario));
        all.skip(number - 1).step_by(of).count()
    }

    /// The kernel and the form.
    fn kernel_and_form(&self) -> String {
        format!("{} {}", self.kernel, self.form)
    }

    /// The name of its results.
    pub fn place(&self) -> String {
        match self.part {
            (_, 1) => format!("guest {}", self.kernel_and_form()),
            (number, of) => format!("guest {} {number}/{of}", self.kernel_and_form()),
        }
    }

    /// Splits it into two boots, unless it is so short that another boot would last longer than its half.
    fn halves(self, scenarios: &[Scenario]) -> Vec<Self> {
        if self.count(scenarios) < WORTH_HALVING {
            return vec![self];
        }
        let half = |number| Self {
            part: (number, 2),
            ..self.clone()
        };
        vec![half(1), half(2)]
    }
}

/// The boots that run any of these scenarios, the longest first. The last ones are halved, so that parallel guests end
/// at about the same time.
pub fn queue(mut boots: Vec<Boot>, scenarios: &[Scenario]) -> Vec<Boot> {
    boots.retain(|boot| boot.count(scenarios) > 0);
    boots.sort_by_key(|boot| std::cmp::Reverse(boot.count(scenarios)));
    let whole = boots.len().saturating_sub(HALVED);
    let halved = boots.split_off(whole);
    boots.extend(halved.into_iter().flat_map(|boot| boot.halves(scenarios)));
    boots
}

/// The plan as text: each scenario with its boots and the reason, then the number of scenarios per boot and in all.
pub fn text(listed: &Listed, boots: &[Boot]) -> String {
    let mut text = String::new();
    let mut total = 0;
    for scenario in &listed.guest {
        let places: Vec<String> = boots
            .iter()
            .filter(|boot| boot.part.0 == 1 && boot.runs(scenario))
            .map(Boot::kernel_and_form)
            .collect();
        total += places.len();
        let why = match &scenario.runs {
            Runs::EachForm => "in each form".to_owned(),
            Runs::Once(reason) => format!("once per kernel: {reason}"),
            Runs::Ends(reason) => format!("on the oldest and the newest kernel: {reason}"),
            Runs::EndsEachForm(reason) => {
                format!("in each form on the oldest and the newest kernel: {reason}")
            }
            Runs::Newest(reason) => format!("once, on the newest kernel: {reason}"),
        };
        entry(&mut text, scenario, &format!("{} runs, {why}", places.len()));
        let _ = writeln!(text, "    {}", places.join(", "));
    }
    for scenario in &listed.native {
        entry(&mut text, scenario, "once, on this machine");
    }
    text.push('\n');
    for boot in boots {
        let _ = writeln!(
            text,
            "{:<27} {:>4} scenarios{}",
            boot.place(),
            boot.count(&listed.guest),
            if boot.all_cpus() { ", all on 2 CPUs" } else { "" }
        );
    }
    let _ = writeln!(text, "{:<27} {:>4} scenarios", "native", listed.native.len());
    let _ = writeln!(
        text,
        "\n{total} runs of {} scenarios in {} boots, {} scenarios on this machine",
        listed.guest.len(),
        boots.len(),
        listed.native.len()
    );
    text
}

fn entry(text: &mut String, scenario: &Scenario, runs: &str) {
    let _ = writeln!(text, "{:<41} {runs}", scenario.name);
    for skip in &scenario.skips {
        let _ = writeln!(text, "    may be skipped on {skip}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "native\tgrid\tonce: attaches nothing\tany: small tables\nguest\tping\teach-form\n\
                        guest\tlist\tonce: netlink\n";

    fn boots() -> Vec<Boot> {
        Boot::all(&["6.1", "6.18"].map(str::to_owned))
    }

    #[test]
    fn the_list_is_read() {
        let listed = Listed::parse(LIST).unwrap();
        assert_eq!(listed.native[0].skips, ["any: small tables"]);
        assert_eq!(listed.guest[0].runs, Runs::EachForm);
        assert_eq!(listed.guest[1].runs, Runs::Once("netlink".to_owned()));
        for wrong in [
            "guest\tping",
            "guest\tping\ttwice",
            "guest\tping\ttwice: netlink",
            "host\tping\teach-form",
            "ping",
        ] {
            assert!(Listed::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_kernel_boots_once_for_each_form_and_runs_everything_in_the_first() {
        let listed = Listed::parse(LIST).unwrap();
        let runs: Vec<(String, usize)> = boots()
            .iter()
            .map(|boot| (boot.place(), boot.count(&listed.guest)))
            .collect();
        let expected = [
            ("guest 6.1 fentry", 2),
            ("guest 6.1 kprobe", 1),
            ("guest 6.18 fentry", 2),
        ];
        assert_eq!(runs, expected.map(|(place, count)| (place.to_owned(), count)));
    }

    #[test]
    fn the_newest_kernel_alone_runs_its_scenarios_in_the_first_form() {
        let listed = Listed::parse("guest\tping\teach-form\nguest\tpages\tnewest: text\n").unwrap();
        let newest = kernels::newest();
        let boots = Boot::all(&["6.1", newest].map(str::to_owned));
        let places: Vec<String> = boots
            .iter()
            .filter(|boot| boot.runs(&listed.guest[1]))
            .map(Boot::place)
            .collect();
        assert_eq!(places, [format!("guest {newest} fentry")]);
        let text = text(&listed, &boots);
        assert!(
            text.contains("1 runs, once, on the newest kernel: text\n"),
            "{text}"
        );
    }

    #[test]
    fn the_oldest_and_the_newest_kernel_run_their_scenarios_in_the_first_form() {
        let listed = Listed::parse("guest\tlibrary\tends: one interface\n").unwrap();
        let names: Vec<String> = kernels::MATRIX
            .iter()
            .map(|kernel| kernel.name.to_owned())
            .collect();
        let places: Vec<String> = Boot::all(&names)
            .iter()
            .filter(|boot| boot.runs(&listed.guest[0]))
            .map(Boot::place)
            .collect();
        let ends = [kernels::oldest(), kernels::newest()];
        assert_eq!(places, ends.map(|kernel| format!("guest {kernel} fentry")));
    }

    #[test]
    fn the_longest_boots_come_first_and_empty_ones_not_at_all() {
        let mut listed = Listed::parse(LIST).unwrap();
        let forms = |listed: &Listed| -> Vec<&str> {
            let queue = queue(boots(), &listed.guest);
            queue.iter().map(|boot| boot.form).collect()
        };
        assert_eq!(forms(&listed), ["fentry", "fentry", "kprobe"]);
        listed.retain(Some("list"));
        assert_eq!(forms(&listed), ["fentry", "fentry"]);
        listed.retain(Some("nothing"));
        assert!(forms(&listed).is_empty() && listed.native.is_empty());
    }

    #[test]
    fn long_boots_at_the_end_are_halved() {
        let list: String = (0..45)
            .map(|number| format!("guest\ts{number}\teach-form\n"))
            .collect();
        let listed = Listed::parse(&list).unwrap();
        let kernels = ["6.1", "6.12", "6.18"].map(str::to_owned);
        let queue = queue(Boot::all(&kernels), &listed.guest);
        let shares: Vec<(String, usize)> = queue
            .iter()
            .map(|boot| (boot.place(), boot.count(&listed.guest)))
            .collect();
        let expected = [
            ("guest 6.1 fentry", 45),
            ("guest 6.1 kprobe 1/2", 23),
            ("guest 6.1 kprobe 2/2", 22),
            ("guest 6.12 fentry 1/2", 23),
            ("guest 6.12 fentry 2/2", 22),
            ("guest 6.18 fentry 1/2", 23),
            ("guest 6.18 fentry 2/2", 22),
        ];
        assert_eq!(shares, expected.map(|(place, count)| (place.to_owned(), count)));
    }

    #[test]
    fn the_plan_says_where_and_why_and_how_often() {
        let text = text(&Listed::parse(LIST).unwrap(), &boots());
        for expected in [
            "3 runs, in each form\n    6.1 fentry, 6.1 kprobe, 6.18 fentry\n",
            "2 runs, once per kernel: netlink\n    6.1 fentry, 6.18 fentry\n",
            "    may be skipped on any: small tables\n",
            "guest 6.1 kprobe               1 scenarios\n",
            "\n5 runs of 2 scenarios in 3 boots, 1 scenarios on this machine\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is missing\n{text}");
        }
    }
}
