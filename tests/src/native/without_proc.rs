//! Without /proc, or with a part of it, rsct does everything that does not need it, and names the missing part for the
//! rest.

use std::process::Command;

use anyhow::{Result, ensure};

use super::namespace::{Namespace, output, rsct, succeeds};
use crate::sentence::one_sentence;

const NONE: &str = "umount -l /proc";
const WITHOUT_SETTINGS: &str = "umount -l /proc; mount -t proc -o subset=pid proc /proc";
const HIDING: &str = "umount -l /proc; mount -t proc -o hidepid=2 proc /proc";

/// rsct inside a namespace, after a change to /proc that only this process sees.
fn rsct_after(namespace: &Namespace, change: &str, before: &str, args: &str) -> Command {
    let script = format!("{change}; exec {before} \"$0\" {args}");
    let mut command = namespace.command("unshare", &["-m", "sh", "-ec", &script]);
    command.arg(rsct());
    command
}

pub fn run() -> Result<()> {
    let namespace = Namespace::new("no-proc")?;
    namespace.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 300")?;
    let without = |args: &str| rsct_after(&namespace, NONE, "", args);

    for args in ["count", "count -p udp", "timeout show", "timeout show -o json"] {
        let expected = succeeds(&mut namespace.rsct(&args.split(' ').collect::<Vec<_>>()))?;
        let found = succeeds(&mut without(args))?;
        ensure!(
            found == expected,
            "{args}:\n{found}where with /proc it is:\n{expected}"
        );
    }
    for args in [
        "list",
        "list -o json",
        "save",
        "get -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2",
        "update -p udp --set-mark 5",
        &format!("list --netns {}", namespace.name),
    ] {
        let found = succeeds(&mut without(args))?;
        ensure!(
            found.contains("10.0.0.1") && found.lines().count() == 1,
            "{args}:\n{found}"
        );
    }
    ensure!(succeeds(&mut without("stats"))?.contains("insert="));

    for args in [
        "list",
        "list -p udp",
        "count",
        "stats",
        "save",
        "get -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2",
        "update -p udp --set-mark 6",
        "delete -p udp",
        "flush",
        "watch",
        "expect list",
        "timeout show",
        "timeout expiring",
        "timeout policy list",
        "sysctl",
    ] {
        let mut command = without(&format!("{args} --netns all"));
        one_sentence(&mut command, 1, "/proc has no processes; mount it")?;
    }
    one_sentence(&mut without("sysctl"), 1, "/proc is not mounted")?;
    one_sentence(
        &mut without("list --netns 4026531840"),
        1,
        "/proc has no processes",
    )?;
    let mut settings = rsct_after(&namespace, WITHOUT_SETTINGS, "", "sysctl");
    one_sentence(&mut settings, 1, "mounted with subset=pid")?;
    ensure!(
        namespace.list(&["-m", "5"])?.lines().count() == 1,
        "the entry is missing"
    );

    let without_rights =
        "setpriv --regid 65534 --clear-groups --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace --";
    let hidden = output(&mut rsct_after(
        &namespace,
        HIDING,
        without_rights,
        "list --netns all -p udp",
    ))?;
    let said = String::from_utf8_lossy(&hidden.stderr);
    ensure!(
        hidden.status.success()
            && said.contains("/proc hides processes of other users (mount option hidepid)"),
        "{said}"
    );
    succeeds(&mut without("delete -p udp"))?;
    ensure!(namespace.list(&[])?.is_empty(), "the entry is still there");
    Ok(())
}
