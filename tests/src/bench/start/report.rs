//! Output of the measured starts: a line for each command, then a table of the programs.

use std::{collections::BTreeMap, process::Command as Process, time::Duration};

use anyhow::Result;

use super::{
    STARTS,
    commands::{MeasuredCommand, STOP},
    measured::Started,
};
use crate::{
    bench::word,
    lab::programs::{MOST_VERIFIED, Program},
    native::namespace::succeeds,
};

/// Prints the subject of the measurement, the machine, and the columns' names.
pub fn header(release: &str) -> Result<()> {
    let bpftrace = succeeds(Process::new("bpftrace").arg("--version"))?;
    println!(
        "Starts and stops in millions of instructions, Linux {release}, {}.",
        bpftrace.trim()
    );
    println!(
        "The first event is a packet's line of trace, with a packet every 2 million, the line `started` of why and \
         latency,\nand the end of list and doctor. Stop is from Ctrl-C to the end. The lesser of {STARTS} starts, the \
         longer of {STARTS} stops.\nVerified is the program of which the verifier walked the most instructions.\n"
    );
    println!(
        "{:<36} {:>11} {:>12} {:>7} {:>8} {:>6} {:>11} {:>8}  verified, target",
        "", "first event", "target", "on CPU", "attached", "stop", "target", "programs"
    );
    Ok(())
}

/// Prints a command's line; returns the number of missed targets.
pub fn rsct(command: &MeasuredCommand, started: &Started, release: &str) -> u32 {
    let mut line = Row::default();
    let costliest = started.programs.iter().max_by_key(|program| program.verified);
    line.begin(
        &command.shown(),
        started,
        [command.target_on(release), started.stop.map(|_| STOP)],
    );
    let verified = costliest.map_or_else(String::new, |program| {
        let met = line.target(u64::from(program.verified), u64::from(MOST_VERIFIED));
        format!("{} {}, {met}", program.name, program.verified)
    });
    line.end(&verified);
    line.missed
}

/// Prints a script's line, which has no targets.
pub fn bpftrace(name: &str, started: &Started) {
    let mut line = Row::default();
    let costliest = started.programs.iter().max_by_key(|program| program.verified);
    line.begin(name, started, [None, None]);
    line.end(&costliest.map_or_else(String::new, |program| {
        format!("{} {}", program.name, program.verified)
    }));
}

/// Prints each program with the commands that loaded it.
pub fn programs(loaded: &[(&'static str, Vec<Program>)]) {
    println!("\n{:>8}  {:<16} loaded by", "verified", "program");
    for (verified, name, commands) in by_cost(loaded) {
        println!("{verified:>8}  {name:<16} {}", commands.join(", "));
    }
}

/// The programs, those first of which the verifier walked the most.
fn by_cost<'a>(loaded: &'a [(&'static str, Vec<Program>)]) -> Vec<(u32, &'a str, Vec<&'static str>)> {
    let mut commands: BTreeMap<(u32, &str), Vec<&'static str>> = BTreeMap::new();
    for (command, programs) in loaded {
        for program in programs {
            let of_program = commands.entry((program.verified, &program.name)).or_default();
            if !of_program.contains(command) {
                of_program.push(command);
            }
        }
    }
    let rows = commands.into_iter().rev();
    rows.map(|((verified, name), commands)| (verified, name, commands))
        .collect()
}

/// A line of the table, and the targets that it misses.
#[derive(Default)]
struct Row {
    text: String,
    missed: u32,
}

impl Row {
    fn begin(&mut self, name: &str, started: &Started, [first_event, stop]: [Option<u64>; 2]) {
        let first_event = self.against(started.first_event, first_event);
        let stop_target = self.against(started.stop.unwrap_or_default(), stop);
        self.text = format!(
            "{name:<36} {:>11} {first_event:>12} {:>7} {:>8} {:>6} {stop_target:>11} {:>8}",
            started.first_event.as_millis(),
            millions(started.on_cpu),
            millions(started.attached),
            millions(started.stop),
            started.programs.len(),
        );
    }

    fn against(&mut self, measured: Duration, target: Option<u64>) -> String {
        target.map_or_else(
            || "-".to_owned(),
            |target| self.target(measured.as_millis() as u64, target),
        )
    }

    fn target(&mut self, measured: u64, target: u64) -> String {
        let met = measured <= target;
        self.missed += u32::from(!met);
        format!("{target} {}", word(met))
    }

    fn end(&self, verified: &str) {
        println!("{}", format!("{}  {verified}", self.text).trim_end());
    }
}

/// A nanosecond is an instruction.
fn millions(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), |duration| duration.as_millis().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, id: u32, verified: u32) -> Program {
        Program {
            name: name.to_owned(),
            id,
            verified,
        }
    }

    #[test]
    fn a_program_has_one_row_for_each_cost() {
        let loaded = [
            (
                "trace",
                vec![program("in_fexit", 1, 900), program("nat_fexit", 2, 23_240)],
            ),
            (
                "why",
                vec![program("in_fexit", 7, 900), program("nat_fexit", 8, 23_000)],
            ),
        ];
        assert_eq!(
            by_cost(&loaded),
            [
                (23_240, "nat_fexit", vec!["trace"]),
                (23_000, "nat_fexit", vec!["why"]),
                (900, "in_fexit", vec!["trace", "why"]),
            ]
        );
    }

    #[test]
    fn a_target_is_met_up_to_its_value() {
        let mut line = Row::default();
        assert_eq!(line.target(300, 300), "300 met");
        assert_eq!(line.target(301, 300), "300 MISSED");
        assert_eq!(line.missed, 1);
    }
}
