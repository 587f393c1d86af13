//! A namespace that the probes see and no path leads to: the trace names it, and its flows are no differences.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    net::UdpSocket,
    os::{
        fd::AsRawFd as _,
        unix::{fs::MetadataExt as _, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    guest::ATTACH,
    lab::Trace,
    native::namespace::{rsct, succeeds},
};

/// A namespace with only this process in it, where a rule enables conntrack.
const APART: &str = "ip link set lo up
    nft 'add table ip t; add chain ip t in { type filter hook input priority 0; }; add rule ip t in ct state new accept'
    echo ready
    exec cat";

pub fn run() -> Result<()> {
    succeeds(Command::new("modprobe").args(["-a", "nf_conntrack", "nf_conntrack_netlink"]))?;
    let apart = Apart::new()?;
    let mut command = Command::new(rsct());
    command.args([
        "trace",
        "-o",
        "json",
        "--netns",
        "all",
        "--no-causes",
        "--differences",
    ]);
    // SAFETY: between fork and exec, hide() makes system calls alone.
    unsafe { command.pre_exec(hide) };
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    let trace = Trace::of(command)?;
    apart.send()?;
    let inode = i64::try_from(apart.netns.metadata()?.ino())?;
    trace.wait_for("the datagram's entry is confirmed", |line| {
        line.is_event("confirm") && line.number("/netns") == Some(inode)
    })?;
    let ended = trace.stop()?;
    let summary = ended.lines.iter().find(|line| line.text("/type") == "summary");
    let summary = summary.with_context(|| ended.told())?;
    ensure!(
        summary.number("/unreached/0/netns") == Some(inode)
            && summary.number("/unreached/0/flows") == Some(1),
        "{summary}"
    );
    ensure!(
        summary.0["differences"]
            .as_object()
            .is_some_and(serde_json::Map::is_empty),
        "{summary}"
    );
    ensure!(
        ended.stderr.contains(&format!(
            "rsct: network namespace {inode} was not dumped: no name"
        )),
        "{}",
        ended.stderr
    );
    Ok(())
}

/// Limits this process to its own entry in /proc, and drops its right to read those of others.
fn hide() -> io::Result<()> {
    /// `CAP_SYS_PTRACE` (include/uapi/linux/capability.h).
    const CAP_SYS_PTRACE: libc::c_ulong = 19;
    const NOBODY: libc::gid_t = 65534;
    let done = |result: libc::c_int| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    let none = std::ptr::null();
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the strings end in zero bytes and outlive the calls, and all pointers that the kernel may read are those.
    unsafe {
        done(libc::unshare(libc::CLONE_NEWNS))?;
        done(libc::mount(none, c"/".as_ptr(), none, private, none.cast()))?;
        let proc = c"proc".as_ptr();
        done(libc::mount(
            proc,
            c"/proc".as_ptr(),
            proc,
            0,
            c"hidepid=2".as_ptr().cast(),
        ))?;
        done(libc::setgroups(0, std::ptr::null()))?;
        done(libc::setgid(NOBODY))?;
        done(libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0))
    }
}

/// The process in a namespace of its own.
struct Apart {
    process: Child,
    netns: File,
}

impl Apart {
    fn new() -> Result<Self> {
        let mut process = Command::new("unshare")
            .args(["-n", "sh", "-ec", APART])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().context("no pipe")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line == "ready\n", "the namespace was not set up");
        let netns = File::open(format!("/proc/{}/ns/net", process.id()))?;
        Ok(Self { process, netns })
    }

    /// Sends a datagram there, which conntrack tracks.
    fn send(&self) -> Result<()> {
        let sending = || -> Result<()> {
            // SAFETY: the descriptor is open; only this thread changes its namespace.
            let entered = unsafe { libc::setns(self.netns.as_raw_fd(), libc::CLONE_NEWNET) };
            ensure!(
                entered == 0,
                "enter the namespace: {}",
                io::Error::last_os_error()
            );
            let socket = UdpSocket::bind(("127.0.0.1", 0))?;
            socket.send_to(b"x", ("127.0.0.1", 9))?;
            Ok(())
        };
        thread::scope(|scope| scope.spawn(sending).join()).expect("the thread does not panic")
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
