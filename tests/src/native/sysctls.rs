//! `rsct sysctl`, compared with `sysctl`.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::namespace::{Namespace, rsct, succeeds};
use crate::sentence::one_sentence;

/// Settings that exist once for all network namespaces.
const FIRST_ONLY: [&str; 3] = ["max", "buckets", "expect_max"];

pub fn run() -> Result<()> {
    let namespace = Namespace::new("sysctls")?;
    agree(&namespace)?;
    let nobody = [
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--reuid=65534",
        "--clear-groups",
        "--regid=65534",
        "--",
    ];
    let mut unprivileged = namespace.command("setpriv", &nobody);
    unprivileged.arg(rsct()).args(["sysctl", "acct=0"]);
    one_sentence(
        &mut unprivileged,
        1,
        "not permitted; run as root; nothing has been changed",
    )?;
    let mut unprivileged = namespace.command("setpriv", &nobody);
    succeeds(unprivileged.arg(rsct()).args(["sysctl", "acct"]))?;
    Ok(())
}

/// Checks the output, which does not depend on the kernel.
pub fn agree(namespace: &Namespace) -> Result<()> {
    let all = settings(namespace, &["--all"])?;
    let mut theirs = 0;
    for name in namespace
        .sh("cd /proc/sys/net/netfilter; ls -d nf_conntrack_* nf_hooks_* nf_flowtable_* 2>/dev/null || :")?
        .lines()
    {
        let full = format!("net.netfilter.{name}");
        let ours = all.iter().find(|setting| setting["sysctl"] == full.as_str());
        let ours = ours.with_context(|| format!("{full} is not shown"))?;
        let value = namespace.sh(&format!("sysctl -n {full}"))?;
        ensure!(
            ours["value"].as_u64() == value.trim().parse().ok(),
            "{ours}, where sysctl prints {value}"
        );
        // Every setting of these kernels has a meaning.
        ensure!(ours["meaning"].is_string(), "{ours}");
        let short = ours["short"].as_str().context("no short name")?;
        let writable = short != "count" && !FIRST_ONLY.contains(&short);
        ensure!(ours["writable"] == writable, "{ours}");
        ensure!(
            ours["first_namespace_only"] == FIRST_ONLY.contains(&short),
            "{ours}"
        );
        theirs += 1;
    }
    ensure!(
        all.len() == theirs,
        "{} settings are shown of {theirs}",
        all.len()
    );
    let usual = settings(namespace, &[])?;
    ensure!(
        usual.iter().all(|setting| setting.get("timeout_state").is_none()) && usual.len() > 12,
        "{usual:?}"
    );
    let forms = settings(
        namespace,
        &["acct", "nf_conntrack_acct", "net.netfilter.nf_conntrack_acct"],
    )?;
    ensure!(
        forms.len() == 3 && forms.iter().all(|form| *form == forms[0]),
        "{forms:?}"
    );

    set(namespace)?;
    wrong(namespace)
}

fn set(namespace: &Namespace) -> Result<()> {
    let say = |args: &[&str]| succeeds(&mut namespace.rsct(&[&["sysctl"], args].concat()));
    let said = say(&["acct=1", "checksum", "net.netfilter.nf_conntrack_udp_timeout=5m"])?;
    let lines: Vec<Vec<&str>> = said
        .lines()
        .map(|line| line.split_whitespace().take(3).collect())
        .collect();
    let expected = [
        ["acct:", "0", "→"],
        ["NAME", "VALUE", "BOUNDS"],
        ["checksum", "1", "0-1"],
        ["udp_timeout:", "30", "→"],
    ];
    ensure!(lines == expected, "{said}");
    let values =
        namespace.sh("sysctl -n net.netfilter.nf_conntrack_acct net.netfilter.nf_conntrack_udp_timeout")?;
    ensure!(values == "1\n300\n", "{values}");
    // One bounds the other: the order of writing depends on their present values.
    for (high, low) in [("5000000", "4500000"), ("900", "800"), ("5000001", "901")] {
        say(&[
            &format!("frag6_high_thresh={high}"),
            &format!("frag6_low_thresh={low}"),
        ])?;
        let values = namespace.sh(
            "cd /proc/sys/net/netfilter; cat nf_conntrack_frag6_high_thresh nf_conntrack_frag6_low_thresh",
        )?;
        ensure!(values == format!("{high}\n{low}\n"), "{values}");
    }
    let changed = succeeds(Command::new(rsct()).args([
        "sysctl",
        "log_invalid=17",
        "-o",
        "json",
        "--netns",
        &namespace.name,
    ]))?;
    let changed: Value = serde_json::from_str(&changed)?;
    ensure!(
        changed["value_before"] == 0
            && changed["value"] == 17
            && changed["netns_name"] == namespace.name.as_str(),
        "{changed}"
    );
    Ok(())
}

fn wrong(namespace: &Namespace) -> Result<()> {
    let before = settings(namespace, &["--all"])?;
    for (args, code, sentence) in [
        ("timestamp=1 acct=2", 2, "acct=\"2\": expected from 0 to 1"),
        ("timestamp=1 log_invalid=256", 2, "expected from 0 to 255"),
        ("timestamp=1 acct=yes", 2, "expected a number"),
        ("timestamp=1 acct=", 2, "expected a number"),
        ("timestamp=1 acct=-1", 2, "expected a number"),
        (
            "timestamp=1 udp_timeout=0",
            2,
            "0 would make entries expire at once",
        ),
        ("timestamp=1 udp_timeout=365d", 2, "expected from 1 to "),
        (
            "timestamp=1 frag6_low_thresh=99999999999",
            2,
            "(frag6_high_thresh sets a bound)",
        ),
        (
            "timestamp=1 no_such=1",
            2,
            "there is no such setting; `rsct sysctl --all` lists",
        ),
        (
            "timestamp=1 ../kernel=1",
            2,
            "expected the name of a setting of conntrack",
        ),
        (
            "timestamp=1 net.ipv4.ip_forward=1",
            2,
            "expected the name of a setting of conntrack",
        ),
        (
            "timestamp=1 max=9",
            1,
            "it is global, and only the initial network namespace can set it",
        ),
        (
            "timestamp=1 buckets=9",
            1,
            "only the initial network namespace can set it",
        ),
        (
            "timestamp=1 count=9",
            1,
            "it is a count of the kernel, and read-only",
        ),
        ("--all acct", 2, "cannot be used with"),
        ("--netns no-such-one", 1, "no such name under /run/netns"),
    ] {
        let args: Vec<&str> = std::iter::once("sysctl").chain(args.split(' ')).collect();
        one_sentence(&mut namespace.rsct(&args), code, sentence)?;
    }
    ensure!(
        settings(namespace, &["--all"])? == before,
        "what is wrong changed something"
    );
    Ok(())
}

/// Output of `rsct sysctl`.
pub fn settings(namespace: &Namespace, args: &[&str]) -> Result<Vec<Value>> {
    let shown = succeeds(&mut namespace.rsct(&[&["sysctl", "-o", "json"], args].concat()))?;
    shown
        .lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}
