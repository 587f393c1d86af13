//! Timeouts of this kernel, by cttimeout and, if it is missing, through sysctl.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    native::{
        namespace::{Namespace, output, succeeds},
        timeouts::{agree, states},
    },
    sentence::one_sentence,
};

pub fn run() -> Result<()> {
    agree(&Namespace::new("timeouts")?)?;
    let namespace = Namespace::new("sysctls")?;
    let with = states(&namespace)?;
    without_cttimeout(|| {
        through_sysctl(&namespace, with)?;
        no_policies(&namespace)
    })
}

/// Runs a part while cttimeout is not loaded and cannot be loaded by the kernel.
fn without_cttimeout(tell: impl FnOnce() -> Result<()>) -> Result<()> {
    let before = succeeds(Command::new("sysctl").args(["-n", "kernel.modprobe"]))?;
    let loader =
        |path: &str| succeeds(Command::new("sysctl").args(["-qw", &format!("kernel.modprobe={path}")]));
    loader("/bin/false")?;
    let told = unload().and_then(|()| tell());
    loader(before.trim())?;
    told
}

fn unload() -> Result<()> {
    let unloaded = output(Command::new("modprobe").args(["-r", "nfnetlink_cttimeout"]))?;
    ensure!(unloaded.status.success(), "{unloaded:?}");
    Ok(())
}

fn no_policies(namespace: &Namespace) -> Result<()> {
    for args in [
        "list",
        "flush",
        "get x",
        "delete x",
        "add x inet udp replied=5",
        "replace x inet udp replied=5",
    ] {
        let args: Vec<&str> = ["timeout", "policy"].into_iter().chain(args.split(' ')).collect();
        one_sentence(
            &mut namespace.rsct(&args),
            1,
            "the kernel has no cttimeout, and could not load it; run `modprobe nfnetlink_cttimeout`",
        )?;
    }
    Ok(())
}

fn through_sysctl(namespace: &Namespace, with: Vec<Value>) -> Result<()> {
    let without = states(namespace)?;
    ensure!(
        without.len() == with.len(),
        "{} states without cttimeout, {} with it",
        without.len(),
        with.len()
    );
    for mut state in with {
        if state["timeout_state"] == "syn_sent2" {
            for member in ["default_s", "value_s", "changed"] {
                state.as_object_mut().map(|state| state.remove(member));
            }
        }
        ensure!(without.contains(&state), "{state} is not among {without:#?}");
    }
    let said = succeeds(&mut namespace.rsct(&["timeout", "set", "tcp", "close=7", "established=1d"]))?;
    ensure!(
        said == "tcp established: 432000 → 86400 seconds\ntcp close: 10 → 7 seconds\n",
        "{said}"
    );
    one_sentence(
        &mut namespace.rsct(&["timeout", "set", "tcp", "close=8", "syn_sent2=8"]),
        1,
        "it has no sysctl, and this kernel has no cttimeout",
    )?;
    let close = namespace.sh("sysctl -n net.netfilter.nf_conntrack_tcp_timeout_close")?;
    ensure!(close == "7\n", "{close}");
    Ok(())
}
