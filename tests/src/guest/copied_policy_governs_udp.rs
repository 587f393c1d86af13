//! Without iptables a timeout policy governs UDP through a copy in nftables. Rules that attach policies are added and
//! removed on this kernel, and the default policies are those that `nfct` shows.

use std::process::Command;

use anyhow::{Result, ensure};

use super::policy_governs_udp::{POLICY, exchange, state, timeout};
use crate::{
    lab::Lab,
    native::{
        namespace::{Namespace, rsct, succeeds},
        timeout_rules::{self, Programs},
    },
};

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    defaults_agree(&lab.server)?;
    copy_governs(&lab)?;
    timeout_rules::attach_and_detach(&Namespace::new("rules")?)
}

/// rsct called `nfct` shows the same defaults as `nfct`.
fn defaults_agree(namespace: &Namespace) -> Result<()> {
    let links = Programs::new("links")?;
    let dir = links.path("");
    succeeds(Command::new(rsct()).arg("install-links").arg(&dir))?;
    for protocol in ["tcp", "udp", "icmp"] {
        let args = ["default-get", "timeout", "inet", protocol];
        let ours = succeeds(&mut namespace.command(links.path("nfct"), &args))?;
        let theirs = succeeds(&mut namespace.command("nfct", &args))?;
        ensure!(
            ours == theirs && !ours.is_empty(),
            "{ours}where nfct shows\n{theirs}"
        );
    }
    Ok(())
}

/// Without iptables, nftables governs flows by a copy of the policy.
fn copy_governs(lab: &Lab) -> Result<()> {
    let before = state(&lab.server)?;
    timeout(
        &lab.server,
        &[
            "policy",
            "add",
            POLICY,
            "inet",
            "udp",
            "unreplied=25",
            "replied=250",
        ],
    )?;
    let programs = Programs::new("copy")?;
    programs.link("nft")?;
    let run = |command: &str| -> Result<String> {
        let netns = lab.server.name.as_str();
        succeeds(&mut programs.run(&["timeout", command, POLICY, "--netns", netns]))
    };
    run("attach")?;
    exchange(lab, 8889, [25, 250])?;
    run("detach")?;
    timeout(&lab.server, &["policy", "delete", POLICY])?;
    let after = state(&lab.server)?;
    ensure!(after == before, "{after}\nis left, where before was\n{before}");
    Ok(())
}
