//! The verifier walks few instructions of each program: it does so at every start, while the user waits.

use std::{
    collections::BTreeSet,
    os::fd::AsRawFd as _,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    guest::ATTACH,
    lab::{
        Lab, Line, Trace, latency,
        programs::{self, MOST_VERIFIED, Program},
        wait,
    },
    native::{dying_are_listed::load, namespace::Namespace},
};

/// More lines than a pipe of one page holds.
const ENTRIES: u16 = 64;
const PIPE_BYTES: i32 = 4096;

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let netns = &lab.client.name;
    let mut costly = Vec::new();
    let mut check = |command: &str, loaded: &Loaded| {
        let too_many = loaded.programs.iter().filter(|one| one.verified > MOST_VERIFIED);
        costly.extend(too_many.map(|one| format!("rsct {command}: {} with {}", one.name, one.verified)));
        ensure!(
            loaded.programs.len() >= loaded.hooks,
            "rsct {command} attached {} hooks, and the kernel has {} new programs: {:?}",
            loaded.hooks,
            loaded.programs.len(),
            loaded.programs
        );
        Ok(())
    };
    check("trace", &of(|| Trace::with_causes(netns, &[]))?)?;
    check("why", &of(|| why(&lab.client))?)?;
    check("latency", &of(|| latency::start(netns, &[]))?)?;
    check("list", &of_list(&lab.client)?)?;
    ensure!(
        costly.is_empty(),
        "the verifier walked more than {MOST_VERIFIED} instructions:\n{}",
        costly.join("\n")
    );
    Ok(())
}

/// Programs that a command loaded, and the number of hooks that it reported as attached.
struct Loaded {
    programs: Vec<Program>,
    hooks: usize,
}

/// Programs of a command that runs until it is stopped.
fn of(start: impl FnOnce() -> Result<Trace>) -> Result<Loaded> {
    let before = programs::ids()?;
    let trace = start()?;
    let loaded = Loaded {
        programs: programs::other_than(&before)?,
        hooks: usize::try_from(trace.sum(attached))?,
    };
    let ended = trace.stop()?;
    ensure!(ended.status.success() && loaded.hooks > 0, "{}", ended.told());
    programs::wait_until_unloaded(&loaded.programs)?;
    Ok(loaded)
}

/// Number of hooks that a line reports as attached: a trace has one such line for packets and one for causes.
fn attached(line: &Line) -> i64 {
    if let Some(hooks) = line.0.pointer("/hooks").and_then(|hooks| hooks.as_array()) {
        let attached = hooks.iter().filter(|hook| hook["attached"] != "not attached");
        return i64::try_from(attached.count()).unwrap_or(i64::MAX);
    }
    ["/hook_counts/fentry", "/hook_counts/kprobe"]
        .iter()
        .filter_map(|count| line.number(count))
        .sum()
}

/// A listing holds its program until all is written: here it writes more than its pipe holds.
fn of_list(client: &Namespace) -> Result<Loaded> {
    let entries: String = (0..ENTRIES)
        .map(|port| {
            format!(
                "-I -p udp -s 10.9.0.1 -d 10.9.0.2 --sport {} --dport 53 -t 600\n",
                1024 + port
            )
        })
        .collect();
    load(client, &entries)?;
    let before = programs::ids()?;
    let mut list = client.rsct(&["list", "--timeout-source", "-o", "wide"]);
    // Some kernels' fentry supports fewer arguments than the hooked function has.
    if std::env::var(ATTACH).is_ok_and(|mode| mode == "kprobe") {
        list.args(["--attach", "kprobe"]);
    }
    let mut list = list
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start rsct list")?;
    let programs = shrink_pipe(&list).and_then(|()| loaded_by(&before));
    // A closed pipe ends it without an error.
    drop(list.stdout.take());
    let status = list.wait()?;
    ensure!(status.success(), "rsct list ended with {status}");
    let programs = programs?;
    programs::wait_until_unloaded(&programs)?;
    Ok(Loaded { programs, hooks: 1 })
}

/// Shrinks the pipe that a listing writes into to the minimum.
fn shrink_pipe(list: &Child) -> Result<()> {
    let out = list.stdout.as_ref().context("a pipe")?;
    // SAFETY: fcntl accepts plain integers here, and the descriptor is open.
    let size = unsafe { libc::fcntl(out.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_BYTES) };
    ensure!(size == PIPE_BYTES, "the pipe holds {size} bytes");
    Ok(())
}

/// The programs that a listing has loaded, once it has.
fn loaded_by(before: &BTreeSet<u32>) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    wait::until("rsct list has loaded its program", || {
        programs = programs::other_than(before)?;
        Ok(!programs.is_empty())
    })?;
    Ok(programs)
}

/// `rsct why` with all its topics at once.
fn why(client: &Namespace) -> Result<Trace> {
    let mut command = client.rsct(&["why", "-o", "json", "--duration", "10m"]);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    Trace::of(command)
}
