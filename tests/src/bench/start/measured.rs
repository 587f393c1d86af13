//! One command from its start to its end, and the programs that it loaded.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::commands::FirstEvent;
use crate::{
    bench::{
        modes,
        tracer::{self, Tracer},
        udp::LoadFlow,
    },
    lab::programs::{self, Program},
};

/// Between two reads of the output, and between two packets: short, and reading costs little.
const PAUSE: Duration = Duration::from_millis(2);

/// The measurement; a nanosecond is an instruction.
pub struct Started {
    /// Until the first event.
    pub first_event: Duration,
    /// The part of it that the command's own threads ran; the rest is mostly waiting for the kernel.
    pub on_cpu: Option<Duration>,
    /// Until all hooks were attached, as far as the command reports that.
    pub attached: Option<Duration>,
    /// From Ctrl-C to the end, of a command that runs until then.
    pub stop: Option<Duration>,
    /// The programs that it loaded.
    pub programs: Vec<Program>,
}

impl Started {
    /// The better start of two, with the longer stop.
    pub fn or(self, other: Self) -> Self {
        let stop = self.stop.max(other.stop);
        let better = if other.first_event < self.first_event {
            other
        } else {
            self
        };
        Self { stop, ..better }
    }
}

/// Starts `line` and ends it again; returns after the kernel has freed its programs.
pub fn measure(flow: &LoadFlow, line: &[&str], kind: FirstEvent) -> Result<Started> {
    let before = programs::ids()?;
    let started = match kind {
        FirstEvent::Once => once(line, &before)?,
        FirstEvent::Trace | FirstEvent::Packet | FirstEvent::Watch => {
            until_stopped(flow, line, kind, &before)?
        }
    };
    programs::wait_until_unloaded(&started.programs)?;
    thread::sleep(tracer::REST);
    Ok(started)
}

fn until_stopped(
    flow: &LoadFlow,
    line: &[&str],
    kind: FirstEvent,
    before: &BTreeSet<u32>,
) -> Result<Started> {
    let start = Instant::now();
    let mut tracer = Tracer::start(line)?;
    let mut attached = None;
    tracer.until("the first event", PAUSE, || {
        if attached.is_none() && modes::is_attached()? {
            attached = Some(start.elapsed());
        }
        if kind == FirstEvent::Watch {
            return wrote("started");
        }
        flow.send()?;
        wrote("packet")
    })?;
    let first_event = start.elapsed();
    let on_cpu = Some(tracer.on_cpu()?);
    if kind == FirstEvent::Trace {
        tracer.until("the line of causes", PAUSE, || wrote("causes"))?;
    }
    let programs = programs::other_than(before)?;
    // Some commands print `started` a moment before they take signals.
    thread::sleep(tracer::REST);
    let stop = Some(tracer.stop()?);
    Ok(Started {
        first_event,
        on_cpu,
        attached: attached.or((kind == FirstEvent::Watch).then_some(first_event)),
        stop,
        programs,
    })
}

/// Returns whether a line of this type is in the output.
fn wrote(type_of_line: &str) -> Result<bool> {
    Ok(Tracer::out()?.contains(&format!("\"type\":\"{type_of_line}\"")))
}

/// The programs of a command that ends by itself are looked up in a run that is not measured: the lookup costs time.
fn once(line: &[&str], before: &BTreeSet<u32>) -> Result<Started> {
    let start = Instant::now();
    Tracer::start(line)?.end(PAUSE, || Ok(()))?;
    let first_event = start.elapsed();

    let mut known = before.clone();
    let mut programs = Vec::new();
    Tracer::start(line)?.end(PAUSE, || {
        let new = programs::other_than(&known)?;
        known.extend(new.iter().map(|program| program.id));
        programs.extend(new);
        Ok(())
    })?;
    Ok(Started {
        first_event,
        on_cpu: None,
        attached: None,
        stop: None,
        programs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_start_has_the_longer_stop() {
        let started = |first_event, stop| Started {
            first_event: Duration::from_millis(first_event),
            on_cpu: None,
            attached: None,
            stop: Some(Duration::from_millis(stop)),
            programs: Vec::new(),
        };
        let best = started(300, 200).or(started(250, 100));
        assert_eq!(best.first_event, Duration::from_millis(250));
        assert_eq!(best.stop, Some(Duration::from_millis(200)));
    }
}
