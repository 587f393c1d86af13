//! Scenarios in guests: one boot for each kernel and form, several in parallel.

use std::{
    process::Command,
    sync::{Mutex, PoisonError, mpsc::Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    plan::{Boot, Listed, Scenario},
    results::Results,
};
use crate::{
    build::Profile,
    emulator, exec, kernels, progress,
    qemu::EmulatorDied,
    report::{Scenarios, Tally},
    tools,
    vm::{self, Boot as Guest},
};

/// Far longer than the scenarios of one boot take, even on a busy host.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// Scenarios run one after the other, so their seconds by the guest's clock are not more than those of this machine's. The
/// tolerance is for their rounding.
const CLOCK_TOLERANCE: f64 = 1.05;
/// Marks the exit status of the scenarios in a guest's output.
const CODE: &str = "::code ";

/// Fetches the parts of guests other than the built programs: uses only the network.
pub fn fetch(kernels: &[String]) -> Result<()> {
    emulator::ensure()?;
    tools::layer()?;
    // A kernel that cannot be fetched fails in its own boot.
    for kernel in kernels {
        let _ = kernels::find(kernel);
    }
    Ok(())
}

/// The scenarios of the built programs.
pub fn listed(filter: Option<&str>) -> Result<Listed> {
    let mut command = Command::new(Profile::Quick.built("rsct-tests"));
    let list = exec::output(command.arg("list"), "list the scenarios")?;
    let mut listed = Listed::parse(&list)?;
    listed.retain(filter);
    Ok(listed)
}

/// Runs the boots in their order, `jobs` at a time, and as many more from the time when `idle` ends: a scenario waits
/// more than it computes. `scenarios` are those of the plan, of which each boot has to run its own.
pub fn run(
    results: &Results,
    queue: Vec<Boot>,
    scenarios: &[Scenario],
    jobs: u32,
    idle: Receiver<()>,
    filter: Option<&str>,
) {
    let queue = Mutex::new(queue.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = &|| {
        while let Some(boot) = next() {
            let started = Instant::now();
            let tally = boot_and_run(&boot, boot.count(scenarios), filter);
            results.add(&boot.place(), tally, started);
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
        // Nothing is ever sent: it ends when the sender is dropped.
        let _ = idle.recv();
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
}

/// Boots and runs the scenarios; once more if the emulator itself died.
fn boot_and_run(boot: &Boot, planned: usize, filter: Option<&str>) -> Tally {
    let (run, ended) = boot_once(boot, planned, filter);
    match ended {
        Err(error) if error.is::<EmulatorDied>() => {
            progress::note(&format!("{}, once more: {error}", boot.place()));
            let (run, ended) = boot_once(boot, planned, filter);
            run.end(ended.err())
        }
        ended => run.end(ended.err()),
    }
}

fn boot_once(boot: &Boot, planned: usize, filter: Option<&str>) -> (Run, Result<u8>) {
    let mut run = Run::new(boot.place(), planned);
    let guest = Guest {
        kernel: &boot.kernel,
        script: script(boot, filter),
        timeout: Some(TIMEOUT),
        ..Guest::default()
    };
    let ended = guest.run(&mut |bytes| run.bytes(bytes));
    (run, ended)
}

fn script(boot: &Boot, filter: Option<&str>) -> String {
    let each_form = if boot.each_form { " --each-form" } else { "" };
    let not_newest = if boot.is_newest() { "" } else { " --not-newest" };
    let between = if boot.is_between() { " --between" } else { "" };
    let all_cpus = if boot.all_cpus() { " --all-cpus" } else { "" };
    let (number, of) = boot.part;
    let filter = filter
        .map(|filter| vm::line(&[filter.to_owned()]))
        .unwrap_or_default();
    format!(
        "rsct-tests guest --attach {}{each_form}{not_newest}{between}{all_cpus} --part {number}/{of} {filter} 2>&1\necho \"{CODE}$?\"\n",
        boot.form
    )
}

/// The parsed output of one guest.
struct Run {
    place: String,
    /// Number of scenarios that the plan has for it.
    planned: usize,
    began: Instant,
    step: progress::Step,
    buffer: Vec<u8>,
    scenarios: Scenarios,
    code: Option<i32>,
}

impl Run {
    fn new(place: String, planned: usize) -> Self {
        Self {
            step: progress::step(&place),
            began: Instant::now(),
            place,
            planned,
            buffer: Vec::new(),
            scenarios: Scenarios::default(),
            code: None,
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.line(String::from_utf8_lossy(&line).trim_end());
        }
    }

    fn line(&mut self, line: &str) {
        if let Some(code) = line.strip_prefix(CODE) {
            self.code = Some(code.parse().unwrap_or(-1));
        } else if let Some(name) = self.scenarios.line(line) {
            let count = self.scenarios.so_far().count();
            self.step.relabel(format!("{}: {count} done, {name}", self.place));
        }
    }

    /// The results, after the boot ended with or without `error`.
    fn end(self, error: Option<anyhow::Error>) -> Tally {
        let elapsed = self.began.elapsed();
        let mut tally = match (self.code, error) {
            (Some(code), None) => {
                let ran = self.scenarios.so_far().count();
                let mut tally = self.scenarios.end(code);
                if ran != self.planned {
                    let complaint = format!("{ran} scenarios ran, but the plan has {}", self.planned);
                    tally.add(Tally::one("plan", Some(complaint)));
                }
                tally
            }
            (code, error) => {
                let mut tally = self.scenarios.interrupted();
                let ended = error.map_or_else(
                    || "the guest ended without the exit status of its scenarios".to_owned(),
                    |error| format!("{error:#}"),
                );
                let scenarios = code.map_or("were running", |_| "had ended");
                let last = tally.count();
                let complaint = format!("after {last} tests, while scenarios {scenarios}: {ended}");
                tally.add(Tally::one("boot", Some(complaint)));
                tally
            }
        };
        if let Some(complaint) = wrong_clock(&tally, elapsed) {
            tally.add(Tally::one("clock", Some(complaint)));
        }
        tally.at(&self.place)
    }
}

/// The complaint about a guest whose clock is fast: its timeouts end before their time, and any scenario may fail by it.
fn wrong_clock(tally: &Tally, elapsed: Duration) -> Option<String> {
    let guest: f64 = tally.times.iter().map(|time| time.seconds).sum();
    let host = elapsed.as_secs_f64();
    (guest > host * CLOCK_TOLERANCE).then(|| {
        format!(
            "the scenarios took {guest:.1} s by the guest's clock and {host:.1} s by this machine's: the guest's clock is fast"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(each_form: bool) -> Boot {
        Boot {
            kernel: "6.1".to_owned(),
            form: "kprobe",
            each_form,
            part: (1, 2),
        }
    }

    fn run(text: &[&str], error: Option<anyhow::Error>) -> Tally {
        let mut run = Run::new("guest 6.1 kprobe".to_owned(), 1);
        run.began -= Duration::from_secs(1);
        for part in text {
            run.bytes(part.as_bytes());
        }
        run.end(error)
    }

    #[test]
    fn the_command_of_a_guest_is_that_of_its_boot() {
        assert!(
            script(&boot(false), None)
                .starts_with("rsct-tests guest --attach kprobe --not-newest --part 1/2  2>&1\n")
        );
        let filtered = script(&boot(true), Some("a b"));
        assert!(
            filtered.starts_with(
                "rsct-tests guest --attach kprobe --each-form --not-newest --part 1/2 'a b' 2>&1\n"
            ),
            "{filtered}"
        );
        let newest = Boot {
            kernel: kernels::newest().to_owned(),
            ..boot(false)
        };
        let script = script(&newest, None);
        assert!(
            script.starts_with("rsct-tests guest --attach kprobe --all-cpus --part 1/2  2>&1\n"),
            "{script}"
        );
    }

    #[test]
    fn a_guest_that_runs_another_number_of_scenarios_has_failed() {
        let text =
            "test a ... ok in 0.10 s\ntest b ... skipped (c)\n1 passed, 0 failed, 1 skipped\n::code 0\n";
        let tally = run(&[text], None);
        assert_eq!((tally.passed, tally.skipped), (1, 1), "{tally:?}");
        assert_eq!(
            tally.failures,
            [(
                "guest 6.1 kprobe: plan".to_owned(),
                "2 scenarios ran, but the plan has 1".to_owned()
            )]
        );
    }

    #[test]
    fn a_guest_with_a_fast_clock_has_failed() {
        let tally = run(&["test a ... ok in 5.20 s\n1 passed, 0 failed\n::code 0\n"], None);
        assert_eq!(tally.passed, 1);
        assert_eq!(tally.failures.len(), 1, "{tally:?}");
        let (name, complaint) = &tally.failures[0];
        assert_eq!(name, "guest 6.1 kprobe: clock");
        assert!(
            complaint.contains("took 5.2 s by the guest's clock and 1.0 s"),
            "{complaint}"
        );
    }

    #[test]
    fn partial_lines_are_joined() {
        let text = ["test a ... ok in 0.1", "0 s\n1 passed, 0 failed\n::co", "de 0\n"];
        let tally = run(&text, None);
        assert_eq!((tally.passed, tally.failures.len()), (1, 0), "{tally:?}");
        assert_eq!(tally.times[0].place, "guest 6.1 kprobe");
    }

    #[test]
    fn a_guest_that_dies_has_failed() {
        let died = || Some(anyhow::anyhow!("it died"));
        let text = ["test a ... ok in 0.10 s\n"];
        for tally in [run(&text, died()), run(&text, None), run(&["::code 0\n"], died())] {
            assert_eq!(tally.failures.len(), 1, "{tally:?}");
            assert_eq!(tally.failures[0].0, "guest 6.1 kprobe: boot");
        }
        assert_eq!(run(&text, died()).passed, 1);
    }
}
