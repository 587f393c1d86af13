//! A signal ends rsct at once, however slowly the kernel detaches programs: while rsct attaches them, while a second
//! rsct starts, and if the process that detaches them is killed.

use std::{
    collections::BTreeSet,
    fs,
    net::UdpSocket,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    guest::ATTACH,
    lab::{Lab, Line, SERVER, Trace, programs, trace::Ended, traffic, wait},
};

/// The name of the process that closes the links.
const DETACHING: &str = "rsct-detach";
/// Kernels that close a tracing link in a tenth of a second and more.
const SLOW: [&str; 2] = ["6.1.", "6.12."];

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    interrupted_while_attaching(&lab)?;
    a_second_one_starts_meanwhile(&lab)?;
    the_detaching_process_is_killed(&lab)
}

fn interrupted_while_attaching(lab: &Lab) -> Result<()> {
    let before = programs::ids()?;
    let mut command = lab.client.rsct(&["why", "--duration", "10m"]);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let end = Instant::now() + wait::DEADLINE;
    while programs::ids()?.difference(&before).next().is_none() {
        ensure!(Instant::now() < end, "no program is loaded");
        thread::sleep(Duration::from_millis(1));
    }
    let pid = child.id().try_into().context("a process id")?;
    // SAFETY: a plain call; the child has not been waited for, so the id is its own.
    unsafe { libc::kill(pid, libc::SIGINT) };
    let mut said = String::new();
    if let Some(stderr) = &mut child.stderr {
        std::io::Read::read_to_string(stderr, &mut said)?;
    }
    let status = child.wait()?;
    ensure!(
        status.code() == Some(130) && said.contains("interrupted while attaching eBPF programs"),
        "{status}: {said}"
    );
    unloaded(&before)
}

fn a_second_one_starts_meanwhile(lab: &Lab) -> Result<()> {
    let before = programs::ids()?;
    let (ended, still_attached) = interrupted(lab, &before)?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let fentry = std::env::var(ATTACH).is_ok_and(|mode| mode == "fentry");
    if fentry && SLOW.iter().any(|slow| release.starts_with(slow)) {
        ensure!(
            still_attached,
            "rsct waited until its programs were unloaded\n{}",
            ended.told()
        );
    }
    let second = Trace::start(&lab.client.name, &["-p", "udp"])?;
    lab.on_client(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        traffic::send(&socket, b"seen by the second", (SERVER, 4001))
    })?;
    second.wait_for("the packet is seen", |line: &Line| line.text("/type") == "packet")?;
    let ended = second.stop()?;
    ensure!(ended.status.success(), "{}", ended.told());
    unloaded(&before)
}

fn the_detaching_process_is_killed(lab: &Lab) -> Result<()> {
    let before = programs::ids()?;
    interrupted(lab, &before)?;
    for process in fs::read_dir("/proc")? {
        let process = process?;
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        let pid = process.file_name().to_string_lossy().parse();
        if name.trim() == DETACHING
            && let Ok(pid) = pid
        {
            // SAFETY: a plain call; at worst the process has ended already.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }
    unloaded(&before)
}

/// A trace that Ctrl-C ends successfully; returns whether its programs were still attached when it had ended.
fn interrupted(lab: &Lab, before: &BTreeSet<u32>) -> Result<(Ended, bool)> {
    let mut trace = Trace::start(&lab.client.name, &[])?;
    trace.signal(libc::SIGINT)?;
    let ended = trace.ended()?;
    let still_attached = programs::ids()?.difference(before).next().is_some();
    ensure!(ended.status.code() == Some(0), "{}", ended.told());
    ended.summary()?;
    Ok((ended, still_attached))
}

/// Checks that no program remains.
fn unloaded(before: &BTreeSet<u32>) -> Result<()> {
    wait::until("rsct's programs are unloaded", || {
        Ok(programs::ids()?.difference(before).next().is_none())
    })
}
