//! Commands that run until they are stopped keep one capability once they have started, on every thread, gain none later, and
//! open no other files. A helper process opens network namespaces; rsct reports its end.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    guest::ATTACH,
    lab::{
        Lab, Trace,
        injected::error_of_opening,
        metrics::Metrics,
        process::{child, keeps_only, kill, privileges},
        recorder::{Recorder, replayed},
        traffic,
        user::{CAP_NET_ADMIN, NOBODY},
        wait,
    },
    native::namespace::{Namespace, rsct, succeeds},
};

const NET_ADMIN: u64 = 1 << CAP_NET_ADMIN;
/// CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE.
const TO_NAME_PROGRAMS: u64 = 1 << 2 | 1 << 19;
/// And CAP_NET_ADMIN and CAP_SYS_ADMIN.
const TO_OPEN_NAMESPACES: u64 = TO_NAME_PROGRAMS | NET_ADMIN | 1 << 21;
const DAC_OVERRIDE: u64 = 1 << 1;
const HELPER: &str = "rsct-helper";

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    trace(&lab)?;
    all_namespaces(&lab)?;
    top(&lab)?;
    record(&lab)?;
    watch(&lab)?;
    metrics(&lab)?;
    kept(&lab)
}

/// The process keeps one capability, and opens /proc only.
fn is_confined(pid: u32, uid: u32) -> Result<()> {
    keeps_only(pid, NET_ADMIN, uid)?;
    ensure!(
        error_of_opening(pid, "/etc/passwd")? == Some(libc::EACCES),
        "/etc/passwd was opened"
    );
    ensure!(
        error_of_opening(pid, "/proc/stat")?.is_none(),
        "/proc/stat was refused"
    );
    Ok(())
}

fn helper_keeps(pid: u32, capabilities: u64) -> Result<u32> {
    let helper = child(pid, HELPER)?.context("rsct has no helper")?;
    keeps_only(helper, capabilities, 0)?;
    Ok(helper)
}

/// A flow, which the trace joins with dumps, defaults and causes.
fn trace(lab: &Lab) -> Result<()> {
    let trace = Trace::with_causes(&lab.server.name, &[])?;
    is_confined(trace.id(), 0)?;
    helper_keeps(trace.id(), TO_OPEN_NAMESPACES)?;
    let (client, server) = traffic::udp(lab, 9000)?;
    traffic::request(&client, &server)?;
    traffic::reply(&client, &server)?;
    trace.wait_for("the reply is seen with the source of its timeout", |line| {
        line.is_packet() && line.text("/timeout_source/setter") == "default"
    })?;
    lab.server.sh("conntrack -F 2>&1")?;
    trace.wait_for("the deletion has a cause", |line| {
        line.is_event("delete") && line.has("/why")
    })?;
    let ended = trace.stop()?;
    ensure!(!ended.summary()?.has("/unproven"), "{}", ended.told());
    ensure!(!ended.stderr.contains("not dumped"), "{}", ended.told());
    Ok(())
}

/// A namespace that is made later is found, and the helper's end is reported.
fn all_namespaces(lab: &Lab) -> Result<()> {
    let mut command = Command::new(rsct());
    command.args(["watch", "--netns", "all", "-o", "json"]);
    let watch = Trace::of(command)?;
    is_confined(watch.id(), 0)?;
    let helper = helper_keeps(watch.id(), TO_OPEN_NAMESPACES)?;
    let later = Namespace::new("later")?;
    // The search repeats each second.
    wait::until("an event in the new namespace", || {
        later.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 7 --dport 8 -t 300")?;
        later.sh("conntrack -F 2>&1")?;
        Ok(watch.has(|line| line.text("/netns_name") == later.name))
    })?;
    kill(helper)?;
    watch.wait_for_message("(rsct-helper) has ended")?;
    drop(watch);
    let trace = Trace::start(&lab.server.name, &[])?;
    is_confined(trace.id(), 0)?;
    let helper = helper_keeps(trace.id(), TO_OPEN_NAMESPACES)?;
    kill(helper)?;
    trace.wait_for_message("(rsct-helper) has ended")?;
    Ok(())
}

fn top(lab: &Lab) -> Result<()> {
    let mut command = lab.server.rsct(&["top", "-o", "json", "--interval", "500ms"]);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    let top = Trace::of(command)?;
    // `ip netns exec` has become rsct.
    is_confined(top.id(), 0)?;
    helper_keeps(top.id(), TO_NAME_PROGRAMS)?;
    let (client, server) = traffic::udp(lab, 9001)?;
    traffic::request(&client, &server)?;
    top.wait_for("the packet is counted", |line| {
        line.number("/totals/packets") == Some(1)
    })?;
    Ok(())
}

/// Rotates its file in a directory of the user that it has become.
fn record(lab: &Lab) -> Result<()> {
    let directory = Path::new("/tmp/of-nobody");
    fs::create_dir_all(directory)?;
    let file = directory.join("a.rsct");
    let nobody = NOBODY.to_string();
    let rotating = ["--max-age", "3s", "--keep", "9", "--user", &nobody];
    // It may not create files there.
    let mut command = Command::new(rsct());
    command.args(["record", "-O"]).arg(&file).args(rotating);
    let refused = crate::native::namespace::output(command.stdin(Stdio::null()))?;
    let messages = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        refused.status.code() == Some(1)
            && messages.contains("user 65534 may not create files in /tmp/of-nobody"),
        "{}\n{messages}",
        refused.status
    );
    std::os::unix::fs::chown(directory, Some(NOBODY), Some(NOBODY))?;
    let recorder = Recorder::start(&lab.server.name, &file, &rotating)?;
    is_confined(recorder.id(), NOBODY)?;
    let (client, server) = traffic::udp(lab, 9002)?;
    let older = file.with_extension("rsct.1");
    wait::until("the file is rotated", || Ok(older.exists()))?;
    traffic::request(&client, &server)?;
    recorder.stop()?;
    let (lines, messages) = replayed(&[&file, &older])?;
    ensure!(
        lines.iter().any(|line| line.is_packet()),
        "no packet after the rotation\n{messages}"
    );
    // Root without its capabilities may not write there either.
    let recorder = Recorder::start(&lab.server.name, &file, &["--no-causes", "--max-age", "3s"])?;
    keeps_only(recorder.id(), NET_ADMIN | DAC_OVERRIDE, 0)?;
    fs::remove_file(&older)?;
    wait::until("the file is rotated", || Ok(older.exists()))?;
    recorder.stop()?;
    fs::remove_dir_all(directory)?;
    Ok(())
}

/// Names the program that deletes an entry, although it may no longer inspect programs itself.
fn watch(lab: &Lab) -> Result<()> {
    let watch = Trace::of(lab.server.rsct(&["watch", "-o", "json", "-e", "destroy"]))?;
    is_confined(watch.id(), 0)?;
    helper_keeps(watch.id(), TO_NAME_PROGRAMS)?;
    lab.server
        .create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 7 --dport 8 -t 300")?;
    lab.server.sh("conntrack -F 2>&1")?;
    watch.wait_for("the entry was deleted", |line| line.text("/event") == "destroy")?;
    Ok(())
}

/// Reads the counters of another namespace at each scrape, through the helper.
fn metrics(lab: &Lab) -> Result<()> {
    let metrics = Metrics::start(&["--netns", &lab.server.name])?;
    is_confined(metrics.id(), 0)?;
    helper_keeps(metrics.id(), TO_OPEN_NAMESPACES)?;
    let scrape = metrics.scrape()?;
    let limit = scrape.sum("rsct_conntrack_entries_limit", &[("netns", &lab.server.name)]);
    ensure!(limit > 0.0, "{}", scrape.body);
    ensure!(metrics.stop()? == Some(0), "the exporter failed");
    Ok(())
}

/// `--keep-privileges` drops nothing.
fn kept(lab: &Lab) -> Result<()> {
    let trace = Trace::start(&lab.server.name, &["--keep-privileges"])?;
    let all = privileges(trace.id())?;
    ensure!(
        all.iter()
            .all(|one| !one.no_new && one.capabilities[0] & TO_OPEN_NAMESPACES == TO_OPEN_NAMESPACES),
        "{all:x?}"
    );
    ensure!(child(trace.id(), HELPER)?.is_none(), "a helper was started");
    // Without Landlock it continues, and reports that.
    let text = succeeds(Command::new(rsct()).args(["trace", "--help"]))?;
    ensure!(text.contains("--keep-privileges"), "{text}");
    Ok(())
}
