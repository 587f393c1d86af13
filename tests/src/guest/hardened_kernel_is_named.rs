//! Settings that harden a kernel: rsct works, or names the setting that prevents it. No setting makes it report that
//! nothing happened.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    guest::functions_are_named_without_addresses::flush_is_recognised,
    lab::{Lab, Trace, traffic, user},
    native::namespace::{output, rsct},
    sentence::one_sentence,
};

const FTRACE: &str = "kernel/ftrace_enabled";

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    for (setting, value) in [
        ("kernel/kptr_restrict", "2"),
        ("kernel/perf_event_paranoid", "3"),
        ("net/core/bpf_jit_harden", "2"),
        ("kernel/unprivileged_bpf_disabled", "2"),
    ] {
        let _set = Setting::to(setting, value)?;
        flush_is_recognised(&lab).with_context(|| format!("with {setting} = {value}"))?;
        if setting == "kernel/perf_event_paranoid" {
            paranoid_is_named()?;
        }
    }
    sysfs_is_named()?;
    // Some kernels refuse it once programs are attached permanently.
    if let Ok(_off) = Setting::to(FTRACE, "0") {
        ftrace_is_named(&lab)?;
    }
    ftrace_is_noticed(&lab)?;
    lockdown_is_named()
}

/// A setting until the end of a part.
struct Setting {
    path: PathBuf,
    before: Vec<u8>,
}

impl Setting {
    fn to(name: &str, value: &str) -> Result<Self> {
        let path = Path::new("/proc/sys").join(name);
        let before = fs::read(&path).with_context(|| format!("read {name}"))?;
        fs::write(&path, value).with_context(|| format!("set {name}"))?;
        Ok(Self { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = fs::write(&self.path, &self.before);
    }
}

/// A user with only the capabilities for tracing.
fn paranoid_is_named() -> Result<()> {
    let mut trace = Command::new(rsct());
    trace.args(["trace", "--duration", "100ms", "--attach", "kprobe"]);
    user::with_capabilities(
        &mut trace,
        &[user::CAP_BPF, user::CAP_PERFMON, user::CAP_NET_ADMIN],
    );
    one_sentence(&mut trace, 1, "kernel.perf_event_paranoid is 3")
}

fn sysfs_is_named() -> Result<()> {
    let mut trace = Command::new("unshare");
    trace.args(["-m", "sh", "-c"]);
    trace.arg(format!(
        "umount -l /sys && exec {} trace --duration 100ms",
        rsct().display()
    ));
    one_sentence(&mut trace, 1, "/sys is not mounted")
}

/// Lockdown cannot be lifted: no scenario that attaches programs may run after this one.
fn lockdown_is_named() -> Result<()> {
    let security = "/sys/kernel/security";
    // It may be mounted already.
    let _ = output(Command::new("mount").args(["-t", "securityfs", "securityfs", security]))?;
    let lockdown = Path::new(security).join("lockdown");
    ensure!(lockdown.exists(), "this kernel has no lockdown");
    fs::write(&lockdown, "integrity").context("set lockdown to integrity")?;
    let mut trace = Command::new(rsct());
    let traced = output(trace.args(["trace", "--duration", "100ms"]))?;
    ensure!(
        traced.status.success(),
        "{}",
        String::from_utf8_lossy(&traced.stderr)
    );
    fs::write(&lockdown, "confidentiality").context("set lockdown to confidentiality")?;
    for command in ["trace", "latency"] {
        let mut rsct = Command::new(rsct());
        one_sentence(
            rsct.args([command, "--duration", "100ms"]),
            1,
            "lockdown=confidentiality",
        )?;
    }
    Ok(())
}

/// Every command refuses to trace if the kernel runs no programs.
fn ftrace_is_named(lab: &Lab) -> Result<()> {
    const NAMED: &str = "kernel.ftrace_enabled is 0";
    let netns = lab.server.name.as_str();
    for attach in ["fentry", "kprobe"] {
        for command in [
            &["trace", "--duration", "10s"][..],
            &["why", "delete", "--duration", "10s"],
            &["latency", "--duration", "10s"],
        ] {
            let mut rsct = Command::new(rsct());
            rsct.args(command).args(["--netns", netns, "--attach", attach]);
            let output = output(&mut rsct)?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.code() == Some(1) && said.contains(NAMED),
                "{command:?} {attach}: {}\n{said}",
                output.status
            );
        }
    }
    let mut list = Command::new(rsct());
    list.args(["list", "-o", "wide", "--timeout-source", "--netns", netns]);
    let output = output(&mut list)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1) && said.contains(NAMED),
        "list: {}\n{said}",
        output.status
    );
    let output = crate::native::namespace::output(Command::new(rsct()).arg("doctor"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.code() == Some(1) && text.contains(NAMED) && text.contains("NOT run by the kernel"),
        "doctor: {}\n{text}",
        output.status
    );
    Ok(())
}

/// A running trace reports at once that the kernel stops running its programs, and that it runs them again.
fn ftrace_is_noticed(lab: &Lab) -> Result<()> {
    let trace = Trace::start(&lab.server.name, &[])?;
    let Ok(off) = Setting::to(FTRACE, "0") else {
        return Ok(());
    };
    let stopped = trace.wait_for("the kernel runs no program", |line| {
        line.text("/type") == "programs" && line.0["run"] == false
    })?;
    ensure!(
        stopped.text("/reason").contains("kernel.ftrace_enabled is 0"),
        "{stopped}"
    );
    let (client, server) = traffic::udp(lab, 9003)?;
    traffic::request(&client, &server)?;
    let unfired = trace.wait_for("an entry appeared that no hook reported", |line| {
        line.text("/type") == "unfired"
    })?;
    ensure!(
        unfired.text("/functions/0") == "__nf_conntrack_confirm" && unfired.number("/entries") == Some(1),
        "{unfired}"
    );
    drop(off);
    trace.wait_for("the kernel runs them again", |line| {
        line.text("/type") == "programs" && line.0["run"] == true
    })?;
    let (client, server) = traffic::udp(lab, 9002)?;
    traffic::request(&client, &server)?;
    trace.wait_for("a packet is seen", |line| line.text("/type") == "packet")?;
    let ended = trace.stop()?;
    let summary = ended.summary()?;
    ensure!(
        summary
            .text("/unproven/reason")
            .contains("kernel.ftrace_enabled is 0")
            && summary.text("/unfired/0") == "__nf_conntrack_confirm",
        "{}",
        ended.told()
    );
    Ok(())
}
