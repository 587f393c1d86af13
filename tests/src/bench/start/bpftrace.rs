//! The bpftrace scripts that rsct's commands are compared with.

use std::{collections::BTreeSet, process::Command as Process};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::commands::{FirstEvent, MeasuredCommand};
use crate::native::namespace::{rsct, succeeds};

const TRACE: &str = r#"kfunc:nf_conntrack_in { printf("\"type\":\"packet\" in\n"); }
kretfunc:nf_conntrack_in { printf("out %d\n", retval); }"#;
const LATENCY: &str = "kfunc:nf_conntrack_in { @start[tid] = nsecs; }
kretfunc:nf_conntrack_in /@start[tid]/ { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }";
/// bpftrace attaches its probes in the script's order, so this last one runs when all are attached.
const STARTED: &str = r#"interval:ms:1 /!@started/ { @started = 1; printf("\"type\":\"started\"\n"); }"#;

/// One script.
pub struct Script {
    /// Its name in the table.
    pub name: &'static str,
    /// Its first event.
    pub kind: FirstEvent,
    /// Prefix of the commands that it is compared with.
    prefix: &'static str,
    text: fn() -> Result<String>,
}

/// All scripts.
pub const SCRIPTS: [Script; 3] = [
    Script {
        name: "bpftrace, lines of nf_conntrack_in",
        kind: FirstEvent::Packet,
        prefix: "trace",
        text: || Ok(TRACE.to_owned()),
    },
    Script {
        name: "bpftrace, kretfuncs of why's hooks",
        kind: FirstEvent::Watch,
        prefix: "why",
        text: why,
    },
    Script {
        name: "bpftrace, hist of nf_conntrack_in",
        kind: FirstEvent::Watch,
        prefix: "latency",
        text: || Ok(format!("{LATENCY}\n{STARTED}")),
    },
];

impl Script {
    /// Returns whether it is comparable with this command.
    pub fn compares_with(&self, command: &MeasuredCommand) -> bool {
        command.name.starts_with(self.prefix)
    }

    /// The command line; without a buffer, which would hide the first line.
    pub fn line(&self) -> Result<Vec<String>> {
        let text = (self.text)()?;
        Ok(["bpftrace", "-B", "none", "-e", &text]
            .map(str::to_owned)
            .to_vec())
    }
}

/// Counts the returns of each function that both rsct and bpftrace can attach to.
fn why() -> Result<String> {
    let diagnosis = succeeds(Process::new(rsct()).args(["doctor", "-o", "json"]))?;
    let known = succeeds(Process::new("bpftrace").args(["-l", "kfunc:*"]))?;
    let functions = both(&hooks_of_why(&diagnosis)?, &known);
    let probes: String = functions
        .iter()
        .map(|name| format!("kretfunc:{name} {{ @[\"{name}\"] = count(); }}\n"))
        .collect();
    Ok(probes + STARTED)
}

/// The functions that `rsct why` hooks by fentry or fexit.
fn hooks_of_why(diagnosis: &str) -> Result<BTreeSet<String>> {
    let diagnosis: Value = serde_json::from_str(diagnosis).context("read rsct's diagnosis")?;
    let hooks = diagnosis["hooks"]
        .as_array()
        .context("a diagnosis without hooks")?;
    Ok(hooks
        .iter()
        .filter(|hook| hook["command"] == "why" && hook["attached"] == "fentry")
        .filter_map(|hook| hook["function"].as_str().map(str::to_owned))
        .collect())
}

/// Those of `hooks` that bpftrace lists, as `kfunc:MODULE:FUNCTION`.
fn both<'a>(hooks: &BTreeSet<String>, known: &'a str) -> BTreeSet<&'a str> {
    known
        .lines()
        .filter_map(|line| line.rsplit(':').next())
        .filter(|function| hooks.contains(*function))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_functions_that_both_attach_to_are_compared() {
        let diagnosis = r#"{"hooks":[
            {"command":"why","function":"nf_ct_delete","attached":"fentry"},
            {"command":"why","function":"early_drop","attached":"fentry"},
            {"command":"why","function":"kfree_skb","attached":"tracepoint"},
            {"command":"trace","function":"nf_ct_destroy","attached":"fentry"}]}"#;
        let hooks = hooks_of_why(diagnosis).unwrap();
        let known = "kfunc:nf_conntrack:nf_ct_delete\nkfunc:vmlinux:kfree_skb\n";
        assert_eq!(both(&hooks, known), BTreeSet::from(["nf_ct_delete"]));
    }
}
