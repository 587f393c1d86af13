//! `rsct timeout attach`, `rules` and `detach`: rules are added and removed with iptables, with ip6tables, and with nft
//! where those are missing; rules of other programs stay.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::namespace::{Namespace, output, rsct, succeeds};
use crate::sentence::one_sentence;

/// The part of a name in a rule that a kernel shows if it does not show all.
const SHOWN_BYTES: usize = 4;

/// A rule of every kind that has its own match, or its own handler in the kernel.
const ATTACHED: [&str; 6] = [
    "attach udp-policy1 --hook output --dport 53 -d 10.0.0.0/8",
    "attach udp-policy1 --in-iface lo+ --sport 1000-2000",
    "attach udp-six -s fe80::/10",
    "attach slow --out-iface lo --dport 0:7",
    "attach pings",
    "attach others -p esp --hook output",
];

/// With iptables and ip6tables.
pub fn iptables() -> Result<()> {
    let namespace = Namespace::new("rules")?;
    with_iptables(&namespace)?;
    let before = rules(&namespace)?;
    wrong(&namespace)?;
    unprivileged(&namespace)?;
    half_way(&namespace)?;
    same(&namespace, &before)
}

/// With nft alone.
pub fn nft() -> Result<()> {
    with_nft(&Namespace::new("nft")?)
}

/// The same with the older variant, which keeps its rules in tables of its own. It writes a table back as the kernel
/// shows it: where that cuts a policy's name, a rule with a longer one would block every other.
pub fn legacy() -> Result<()> {
    let namespace = Namespace::new("legacy")?;
    let programs = Programs::new("legacy")?;
    for program in ["iptables", "ip6tables"] {
        programs.link_as(&format!("{program}-legacy"), program)?;
    }
    let shown = || namespace.sh("iptables-legacy -t raw -S; ip6tables-legacy -t raw -S");
    namespace.sh("
        nfct add timeout long-name inet udp replied 300
        nfct add timeout six inet6 udp replied 300
        nfct add timeout four inet udp replied 300
    ")?;
    let before = shown()?;
    let run = |args: &str| {
        let netns = ["--netns", &namespace.name];
        programs.run(&[&["timeout"], &args.split(' ').collect::<Vec<_>>()[..], &netns].concat())
    };
    let attaches = [
        "attach four -s 10.0.0.0/8",
        "attach four --in-iface lo+",
        "attach six",
    ];
    for args in attaches {
        succeeds(&mut run(args))?;
        let again = output(&mut run(args))?;
        ensure!(again.status.success() && again.stdout.is_empty(), "{again:?}");
    }
    let with_these = shown()?;
    let attached = output(&mut run("attach long-name --hook output"))?;
    if shown()?.contains("--timeout long-name") {
        succeeds(&mut run("detach long-name"))?;
    } else {
        let said = String::from_utf8_lossy(&attached.stderr);
        ensure!(
            said.contains("give the policy a name of at most 4 letters")
                && said.contains("the rules created before, at output, have been deleted again"),
            "{said}"
        );
        ensure!(attached.status.code() == Some(1), "{said}");
    }
    ensure!(
        shown()? == with_these,
        "{}where there was\n{with_these}",
        shown()?
    );
    let rules = succeeds(&mut run("rules"))?;
    ensure!(rules.lines().count() == 1 + 5, "{rules}");
    for policy in ["four", "six"] {
        succeeds(&mut run(&format!("detach {policy}")))?;
    }
    ensure!(shown()? == before, "{}where there was\n{before}", shown()?);
    Ok(())
}

/// The policies of the scenarios, and the rules that existed before.
fn prepared(namespace: &Namespace) -> Result<String> {
    namespace.sh("
        nfct add timeout udp-policy1 inet udp replied 300
        nfct add timeout udp-six inet6 udp replied 300
        nfct add timeout slow inet tcp established 100
        nfct add timeout pings inet icmp timeout 7
        nfct add timeout others inet generic timeout 7
        iptables -t raw -A OUTPUT -p udp --dport 7 -j CT --timeout udp-policy1
    ")?;
    rules(namespace)
}

fn rules(namespace: &Namespace) -> Result<String> {
    namespace.sh("iptables -t raw -S; ip6tables -t raw -S; nft list tables | grep rsct || true")
}

fn timeout(namespace: &Namespace, args: &str) -> Command {
    let args: Vec<&str> = std::iter::once("timeout").chain(args.split(' ')).collect();
    namespace.rsct(&args)
}

/// Rules of a policy are added and removed.
fn with_iptables(namespace: &Namespace) -> Result<()> {
    let before = prepared(namespace)?;
    let dry = succeeds(&mut timeout(namespace, "attach udp-policy1 --dry-run"))?;
    let commands: Vec<&str> = dry.lines().collect();
    ensure!(
        commands
            == ["PREROUTING", "OUTPUT"].map(|chain| format!(
                "iptables -w 5 -t raw -A {chain} -p udp -m comment --comment 'rsct timeout udp-policy1' -j CT \
                 --timeout udp-policy1"
            )),
        "{dry}"
    );
    ensure!(rules(namespace)? == before, "--dry-run made rules");
    let made = succeeds(&mut timeout(namespace, "attach udp-policy1"))?;
    ensure!(made == dry, "{made}where --dry-run prints\n{dry}");
    has_rule(
        namespace,
        "-A PREROUTING -p udp -m comment --comment \"rsct timeout udp-policy1\" -j CT --timeout ",
    )?;
    // --dry-run shows exactly the commands that were run: pasted into a shell they make the same rule.
    let after = rules(namespace)?;
    succeeds(&mut timeout(namespace, "detach udp-policy1"))?;
    same(namespace, &before)?;
    namespace.sh(&dry)?;
    same(namespace, &after)?;
    attached_already(namespace)?;

    for args in ATTACHED {
        succeeds(&mut timeout(namespace, args))?;
        let again = output(&mut timeout(namespace, args))?;
        let said = String::from_utf8_lossy(&again.stderr);
        ensure!(again.status.success() && again.stdout.is_empty(), "{again:?}");
        ensure!(
            said.contains("already attached with this match at"),
            "{args}: {said}"
        );
    }
    listed(namespace)?;
    let picked = succeeds(&mut timeout(namespace, "detach udp-policy1 --dport 53"))?;
    ensure!(
        picked.lines().count() == 1 && picked.contains("-D OUTPUT -d 10.0.0.0/8 -p udp -m udp --dport 53 "),
        "{picked}"
    );
    one_sentence(
        &mut timeout(namespace, "detach udp-policy1 --dport 53"),
        1,
        "none of the rules created by rsct (3) has this hook and match",
    )?;
    let gone = output(&mut timeout(namespace, "detach udp-policy1"))?;
    let said = String::from_utf8_lossy(&gone.stderr);
    ensure!(gone.status.success(), "{said}");
    ensure!(
        said.contains("3 rules have been deleted.")
            && said.contains("1 rule not created by rsct also attaches"),
        "{said}"
    );
    detach_others(namespace)?;
    same(namespace, &before)?;
    one_sentence(
        &mut timeout(namespace, "detach udp-policy1"),
        1,
        "rsct created none of the rules that attach it (1)",
    )?;
    one_sentence(&mut timeout(namespace, "detach slow"), 1, "no rule attaches it")?;
    Ok(())
}

/// The kernel accepts all of them, and they are removed again.
pub fn attach_and_detach(namespace: &Namespace) -> Result<()> {
    let before = prepared(namespace)?;
    for args in ATTACHED {
        succeeds(&mut timeout(namespace, args))?;
    }
    // Some kernels delete a policy that rules use: the rules are found all the same.
    namespace.sh("for policy in udp-six pings; do nfct delete timeout $policy || true; done")?;
    succeeds(&mut timeout(namespace, "detach udp-policy1"))?;
    detach_others(namespace)?;
    same(namespace, &before)
}

fn detach_others(namespace: &Namespace) -> Result<()> {
    for policy in ["udp-six", "slow", "pings", "others"] {
        succeeds(&mut timeout(namespace, &format!("detach {policy}")))?;
    }
    Ok(())
}

/// Checks that the rules are unchanged.
fn same(namespace: &Namespace, before: &str) -> Result<()> {
    let after = rules(namespace)?;
    ensure!(after == before, "{after}\nwhere there was\n{before}");
    Ok(())
}

/// Checks that iptables shows a rule with this beginning that ends in the policy's name, as far as the kernel shows it.
fn has_rule(namespace: &Namespace, begins: &str) -> Result<()> {
    let shown = namespace.sh("iptables -t raw -S")?;
    let rule = shown.lines().find_map(|line| line.strip_prefix(begins));
    let name = rule.with_context(|| format!("no rule begins with {begins:?}:\n{shown}"))?;
    let whole = "udp-policy1";
    ensure!(name == whole || name == &whole[..SHOWN_BYTES], "{shown}");
    Ok(())
}

fn attached_already(namespace: &Namespace) -> Result<()> {
    let before = rules(namespace)?;
    let again = output(&mut timeout(namespace, "attach udp-policy1 -p udp"))?;
    ensure!(again.status.success() && again.stdout.is_empty(), "{again:?}");
    let said = String::from_utf8_lossy(&again.stderr);
    ensure!(
        said.contains("already attached with this match at prerouting and output"),
        "{said}"
    );
    ensure!(rules(namespace)? == before, "it was attached again");
    Ok(())
}

/// Every rule is shown with its policy's whole name and its owner.
fn listed(namespace: &Namespace) -> Result<()> {
    let shown = succeeds(&mut timeout(namespace, "rules -o json"))?;
    let mut rules = Vec::new();
    for line in shown.lines() {
        let rule: serde_json::Value = serde_json::from_str(line)?;
        let text = |name: &str| rule[name].as_str().unwrap_or("-").to_owned();
        rules.push(format!(
            "{} {} {} {}",
            text("policy"),
            text("made_by"),
            text("tool"),
            text("hook")
        ));
    }
    let expected = [
        "udp-policy1 rsct iptables PRE_ROUTING",
        "udp-policy1 rsct iptables PRE_ROUTING",
        "pings rsct iptables PRE_ROUTING",
        "udp-policy1 others iptables LOCAL_OUT",
        "udp-policy1 rsct iptables LOCAL_OUT",
        "udp-policy1 rsct iptables LOCAL_OUT",
        "slow rsct iptables LOCAL_OUT",
        "pings rsct iptables LOCAL_OUT",
        "others rsct iptables LOCAL_OUT",
        "udp-six rsct ip6tables PRE_ROUTING",
        "udp-six rsct ip6tables LOCAL_OUT",
    ];
    ensure!(rules == expected, "{shown}");
    let of_one = succeeds(&mut timeout(namespace, "rules udp-six"))?;
    ensure!(
        of_one.lines().count() == 3
            && of_one
                .lines()
                .skip(1)
                .all(|line| line.contains("ip6tables -t raw -A")),
        "{of_one}"
    );
    Ok(())
}

/// An impossible request is refused in one sentence, and makes nothing.
fn wrong(namespace: &Namespace) -> Result<()> {
    for (args, code, said) in [
        (
            "attach nobody",
            1,
            "there is no policy of this name; policies are: ",
        ),
        (
            "detach nobody",
            1,
            "there is no policy of this name; policies are: ",
        ),
        (
            "rules nobody",
            1,
            "there is no policy of this name; policies are: ",
        ),
        ("attach slow -p udp", 2, "the policy is for tcp; omit --proto"),
        ("attach slow -s ::1", 2, "--src ::1: the policy is for ipv4"),
        (
            "attach slow --dport https",
            2,
            "--dport \"https\": expected a port",
        ),
        ("attach slow --dport 9:8", 2, "the smaller port first"),
        (
            "attach slow --in-iface a/b",
            2,
            "--in-iface \"a/b\": expected an interface",
        ),
        (
            "attach slow --in-iface lo --hook output",
            2,
            "have no input interface",
        ),
        (
            "attach slow --in-iface lo --out-iface lo",
            2,
            "no hook knows both",
        ),
        (
            "attach slow --hook forward",
            2,
            "possible values: prerouting, output",
        ),
        ("attach pings --dport 7", 2, "icmp has no ports"),
        ("attach others", 2, "--proto is missing"),
        ("attach others -p tcp", 2, "it has one for tcp"),
        (
            "attach slow --netns all",
            2,
            "rules are created and deleted in one network namespace",
        ),
        (
            "attach slow --netns no-such-one",
            1,
            "no such name under /run/netns",
        ),
        ("detach slow --sport x", 2, "--sport \"x\": expected a port"),
    ] {
        one_sentence(&mut timeout(namespace, args), code, said)?;
    }
    let mut without = namespace.command("env", &["PATH=/no/such/directory"]);
    without.arg(rsct()).args(["timeout", "attach", "slow"]);
    one_sentence(
        &mut without,
        1,
        "iptables, ip6tables and nft are not in PATH; install one",
    )?;
    Ok(())
}

/// An unprivileged user reads the reason. Guests have no program that drops capabilities.
fn unprivileged(namespace: &Namespace) -> Result<()> {
    for command in ["attach slow", "detach slow", "rules"] {
        let mut unprivileged =
            namespace.command("setpriv", &["--bounding-set=-all", "--inh-caps=-all", "--"]);
        unprivileged.arg(rsct()).arg("timeout").args(command.split(' '));
        one_sentence(&mut unprivileged, 1, "not permitted; run as root")?;
    }
    Ok(())
}

/// From outside and in one namespace of many, with an iptables that refuses the second rule: the first is removed
/// again.
fn half_way(namespace: &Namespace) -> Result<()> {
    let before = rules(namespace)?;
    let programs = Programs::new("half")?;
    programs.script(
        "iptables",
        "*' -A OUTPUT '*) echo 'iptables: refused here' >&2; exit 4;;",
    )?;
    let mut attach = programs.run(&["timeout", "attach", "slow", "--netns", &namespace.name]);
    one_sentence(
        &mut attach,
        1,
        "failed (exit status: 4): iptables: refused here; the rules created before, at prerouting, have been deleted again",
    )?;
    same(namespace, &before)?;
    // If even that fails, rsct prints the command for it.
    programs.script(
        "iptables",
        "*' -A OUTPUT '*) echo 'iptables: refused here' >&2; exit 4;; *' -D '*) echo 'iptables: nor this' >&2; exit 1;;",
    )?;
    let mut attach = programs.run(&["timeout", "attach", "slow", "--netns", &namespace.name]);
    one_sentence(&mut attach, 1, "run `rsct timeout detach slow`")?;
    succeeds(&mut timeout(namespace, "detach slow"))?;
    Ok(())
}

/// Without iptables, nftables uses a copy of a policy; removing the last rule removes the whole copy.
fn with_nft(namespace: &Namespace) -> Result<()> {
    let before = prepared(namespace)?;
    let programs = Programs::new("nft")?;
    programs.link("nft")?;
    let run = |args: &str| {
        let netns = ["--netns", &namespace.name];
        programs.run(&[&["timeout"], &args.split(' ').collect::<Vec<_>>()[..], &netns].concat())
    };
    let dry = succeeds(&mut run("attach udp-policy1 --dry-run"))?;
    ensure!(rules(namespace)? == before, "--dry-run made rules");
    let made = output(&mut run("attach udp-policy1"))?;
    let said = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success() && made.stdout == dry.as_bytes(), "{made:?}");
    ensure!(
        said.contains("iptables is not in PATH: nftables has a copy of the udp values of udp-policy1"),
        "{said}"
    );
    let table = namespace.sh("nft list table ip rsct")?;
    for part in [
        "ct timeout udp-policy1 {",
        "replied : 300",
        "type filter hook prerouting priority -199",
        "type filter hook output priority -199",
        "meta l4proto udp ct timeout set \"udp-policy1\" comment \"rsct timeout udp-policy1\"",
    ] {
        ensure!(table.contains(part), "no {part:?} in\n{table}");
    }
    for args in [
        "attach udp-policy1 --hook output --dport 0-9 --sport 5:65535 -s 10.0.0.0/8 -d 10.0.0.1",
        "attach udp-policy1 --in-iface lo+",
        "attach udp-six -d fe80::/10",
        "attach slow --out-iface lo --dport 443",
    ] {
        succeeds(&mut run(args))?;
        let again = output(&mut run(args))?;
        let said = String::from_utf8_lossy(&again.stderr);
        ensure!(again.status.success() && again.stdout.is_empty(), "{again:?}");
        ensure!(
            said.contains("already attached with this match at"),
            "{args}: {said}"
        );
    }
    for (args, said) in [
        (
            "attach pings",
            "nftables supports timeouts only for tcp and udp, and the policy is for icmp",
        ),
        ("attach nobody", "there is no policy of this name"),
        ("detach pings", "no rule attaches it"),
    ] {
        one_sentence(&mut run(args), 1, said)?;
    }
    copies_grow_old(namespace, &run)?;
    keeps_what_others_made(namespace, &run)?;
    for policy in ["udp-six", "slow"] {
        succeeds(&mut run(&format!("detach {policy}")))?;
    }
    same(namespace, &before)
}

/// A policy that was recreated with other values no longer matches its copy.
fn copies_grow_old(namespace: &Namespace, run: &impl Fn(&str) -> Command) -> Result<()> {
    namespace.sh("nfct delete timeout slow; nfct add timeout slow inet tcp established 101")?;
    one_sentence(
        &mut run("attach slow --dport 80"),
        1,
        "nftables already has timeouts with this name and other values, from an earlier attach (tcp \
         established=100)",
    )?;
    succeeds(&mut run("detach slow"))?;
    succeeds(&mut run("attach slow --dport 80"))?;
    let shown = namespace.sh("nft list table ip rsct")?;
    ensure!(shown.contains("established : 101"), "{shown}");
    Ok(())
}

/// Another program's rule that uses our copy keeps it, and rsct reports the rule.
fn keeps_what_others_made(namespace: &Namespace, run: &impl Fn(&str) -> Command) -> Result<()> {
    namespace.sh("nft add rule ip rsct output udp dport 9 ct timeout set '\"udp-policy1\"'")?;
    let gone = output(&mut run("detach udp-policy1"))?;
    let said = String::from_utf8_lossy(&gone.stderr);
    ensure!(
        gone.status.success()
            && said.contains("4 rules have been deleted.")
            && said.contains("1 rule not created by rsct also attaches udp-policy1"),
        "{said}"
    );
    let shown = namespace.sh("nft list table ip rsct")?;
    ensure!(
        shown.contains("udp dport 9 ct timeout set \"udp-policy1\"")
            && !shown.contains("comment \"rsct timeout udp"),
        "{shown}"
    );
    let listed = succeeds(&mut run("rules udp-policy1"))?;
    ensure!(
        listed.contains("udp-policy1  others   nft add rule ip rsct output"),
        "{listed}"
    );
    namespace.sh("
        nft delete rule ip rsct output handle $(nft -a list table ip rsct | sed -n 's/.*dport 9 .*handle //p')
        nft delete ct timeout ip rsct udp-policy1
    ")?;
    Ok(())
}

/// A directory with a few programs, which is the only one in PATH.
pub struct Programs(PathBuf);

impl Programs {
    /// An empty one.
    pub fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("rsct-{}-{name}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Path of one of its programs.
    pub fn path(&self, program: &str) -> PathBuf {
        self.0.join(program)
    }

    /// Links the system's own program.
    pub fn link(&self, program: &str) -> Result<()> {
        self.link_as(program, program)
    }

    /// The same under another name.
    fn link_as(&self, program: &str, name: &str) -> Result<()> {
        let real = real(program)?;
        fs::write(
            self.path(name),
            format!("#!/bin/sh\nexec {} \"$@\"\n", real.display()),
        )?;
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// A script that runs the system's own program except in the `cases` of its arguments.
    fn script(&self, program: &str, cases: &str) -> Result<()> {
        let path = self.path(program);
        let real = real(program)?;
        fs::write(
            &path,
            format!(
                "#!/bin/sh\ncase \" $* \" in {cases} esac\nexec {} \"$@\"\n",
                real.display()
            ),
        )?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// rsct, with no other program in PATH.
    pub fn run(&self, args: &[&str]) -> Command {
        let mut command = Command::new(rsct());
        command.args(args).env("PATH", &self.0);
        command
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn real(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|path| path.exists())
        .with_context(|| format!("there is no {program} in PATH"))
}
