//! `rsct watch` keeps one capability once it has started, on every thread, gains none later, and opens no other files. A helper
//! process names programs and opens namespaces. It reports its start and its end to the service manager.

use std::{fs, os::unix::net::UnixDatagram, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::namespace::{Namespace, rsct};
use crate::{
    lab::{
        Trace,
        injected::error_of_opening,
        landlock,
        process::{child, keeps_only, kill, privileges},
        user::{CAP_NET_ADMIN, NOBODY},
        wait,
    },
    sentence::one_sentence,
};

const NET_ADMIN: u64 = 1 << CAP_NET_ADMIN;
/// CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE.
const TO_NAME_PROGRAMS: u64 = 1 << 2 | 1 << 19;
/// And CAP_NET_ADMIN and CAP_SYS_ADMIN.
const TO_OPEN_NAMESPACES: u64 = TO_NAME_PROGRAMS | NET_ADMIN | 1 << 21;
const HELPER: &str = "rsct-helper";
const ENTRY: &str = "-p udp -s 10.0.0.1 -d 10.0.1.1 --sport 1000 --dport 53 -t 300";

pub fn run() -> Result<()> {
    let namespace = Namespace::new("confined")?;
    current(&namespace)?;
    as_nobody(&namespace)?;
    everywhere()?;
    kept(&namespace)?;
    without_landlock(&namespace)?;
    for (args, code, sentence) in [
        ("--user no-such-user", 2, "/etc/passwd has no user"),
        ("--user 65534 --keep-privileges", 2, "cannot be used with"),
    ] {
        let args: Vec<&str> = std::iter::once("watch").chain(args.split(' ')).collect();
        one_sentence(&mut namespace.rsct(&args), code, sentence)?;
    }
    Ok(())
}

fn is_confined(pid: u32, uid: u32) -> Result<()> {
    keeps_only(pid, NET_ADMIN, uid)?;
    if landlock::is_here() {
        ensure!(
            error_of_opening(pid, "/etc/passwd")? == Some(libc::EACCES),
            "/etc/passwd was opened"
        );
    }
    ensure!(
        error_of_opening(pid, "/proc/stat")?.is_none(),
        "/proc/stat was refused"
    );
    Ok(())
}

fn helper_keeps(pid: u32, capabilities: u64, uid: u32) -> Result<u32> {
    let helper = child(pid, HELPER)?.context("rsct has no helper")?;
    keeps_only(helper, capabilities, uid)?;
    Ok(helper)
}

/// The program that made an entry is named, although rsct may no longer look at others.
fn current(namespace: &Namespace) -> Result<()> {
    let path = std::env::temp_dir().join(format!("rsct-notify-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    let manager = UnixDatagram::bind(&path)?;
    manager.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut command = namespace.rsct(&["watch", "-o", "json"]);
    command.env("NOTIFY_SOCKET", &path);
    let watch = Trace::of(command)?;
    let reported = || -> Result<String> {
        let mut buffer = [0; 64];
        let bytes = manager.recv(&mut buffer).context("the service manager waits")?;
        Ok(String::from_utf8_lossy(&buffer[..bytes]).into_owned())
    };
    ensure!(reported()? == "READY=1", "the start was not reported");
    is_confined(watch.id(), 0)?;
    helper_keeps(watch.id(), TO_NAME_PROGRAMS, 0)?;
    // The name is present only if the program is looked up before it ends.
    wait::until("a program is named", || {
        namespace.create(ENTRY)?;
        namespace.sh("conntrack -F 2>&1")?;
        Ok(watch.has(|line| line.text("/requester/progname") == "conntrack"))
    })?;
    let ended = watch.stop()?;
    ensure!(ended.status.success(), "{}", ended.told());
    ensure!(reported()? == "STOPPING=1", "the end was not reported");
    fs::remove_file(path)?;
    Ok(())
}

fn as_nobody(namespace: &Namespace) -> Result<()> {
    let watch = Trace::of(namespace.rsct(&["watch", "-o", "json", "--user", "nobody"]))?;
    is_confined(watch.id(), NOBODY)?;
    helper_keeps(watch.id(), TO_NAME_PROGRAMS, NOBODY)?;
    namespace.create(ENTRY)?;
    watch.wait_for("the entry is new", |line| line.text("/event") == "new")?;
    namespace.sh("conntrack -F 2>&1")?;
    Ok(())
}

/// A namespace that is made later is found, and the helper's end is reported.
fn everywhere() -> Result<()> {
    let mut command = Command::new(rsct());
    command.args(["watch", "--netns", "all", "-o", "json"]);
    let watch = Trace::of(command)?;
    is_confined(watch.id(), 0)?;
    let helper = helper_keeps(watch.id(), TO_OPEN_NAMESPACES, 0)?;
    let later = Namespace::new("later")?;
    // The search repeats each second.
    wait::until("an event in the new namespace", || {
        later.create(ENTRY)?;
        later.sh("conntrack -F 2>&1")?;
        Ok(watch.has(|line| line.text("/netns_name") == later.name))
    })?;
    kill(helper)?;
    watch.wait_for_message("(rsct-helper) has ended")
}

fn kept(namespace: &Namespace) -> Result<()> {
    let watch = Trace::of(namespace.rsct(&["watch", "-o", "json", "--keep-privileges"]))?;
    let all = privileges(watch.id())?;
    ensure!(
        all.iter()
            .all(|one| !one.no_new && one.capabilities[0] & NET_ADMIN != 0),
        "{all:x?}"
    );
    ensure!(child(watch.id(), HELPER)?.is_none(), "a helper was started");
    Ok(())
}

/// It reports that files are not restricted, and continues.
fn without_landlock(namespace: &Namespace) -> Result<()> {
    let mut command = namespace.rsct(&["watch", "-o", "json"]);
    landlock::without(&mut command);
    let watch = Trace::of(command)?;
    keeps_only(watch.id(), NET_ADMIN, 0)?;
    ensure!(error_of_opening(watch.id(), "/etc/passwd")?.is_none(), "refused");
    let ended = watch.stop()?;
    ensure!(
        ended.status.success() && landlock::is_reported_missing(&ended.stderr),
        "{}",
        ended.told()
    );
    Ok(())
}
