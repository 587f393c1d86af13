//! However rsct ends, the kernel detaches its programs: no cost remains.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Lab, Trace, programs, wait};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    for signal in [libc::SIGKILL, libc::SIGINT, libc::SIGTERM] {
        let before = programs::ids()?;
        // The kernel may still be detaching the programs of a former rsct.
        wait::until("nothing traces nf_conntrack_in", || Ok(!is_traced()?))?;
        let mut trace = Trace::with_causes(&lab.client.name, &[])?;
        let ours: BTreeSet<u32> = programs::ids()?.difference(&before).copied().collect();
        ensure!(!ours.is_empty() && is_traced()?, "a trace without programs");

        trace.signal(signal)?;
        let ended = trace.ended()?;
        if signal != libc::SIGKILL {
            ensure!(
                ended.status.code() == Some(0),
                "signal {signal}: {}",
                ended.status
            );
            ensure!(ended.stderr.contains("0 records lost"), "{}", ended.stderr);
            ended.summary()?;
        }
        wait::until("rsct's programs are unloaded", || {
            Ok(programs::ids()?.is_disjoint(&ours) && !is_traced()?)
        })?;
    }
    Ok(())
}

/// Returns whether the kernel calls anything on entering nf_conntrack_in.
fn is_traced() -> Result<bool> {
    let lists = [
        "/sys/kernel/tracing/enabled_functions",
        "/sys/kernel/debug/kprobes/list",
    ];
    for list in lists {
        let functions = fs::read_to_string(list).with_context(|| format!("read {list}"))?;
        if functions.contains("nf_conntrack_in") {
            return Ok(true);
        }
    }
    Ok(false)
}
