//! A function that this kernel does not have (DCCP's handler on new ones) is named with the reason, and the trace
//! continues with the other hooks.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::native::namespace::{output, rsct, succeeds};

pub fn run() -> Result<()> {
    succeeds(Command::new("modprobe").args(["-a", "nf_conntrack", "nf_conntrack_netlink"]))?;
    let symbols = fs::read_to_string("/proc/kallsyms").context("read /proc/kallsyms")?;
    for form in ["fentry", "kprobe"] {
        let args = ["trace", "--attach", form, "--show-hooks", "--duration", "50ms"];
        let output = output(Command::new(rsct()).args(args))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(0), "{}\n{said}", output.status);
        let hooks: Vec<Vec<&str>> = said
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.get(1).is_some_and(|word| word.contains("nf_c")))
            .collect();
        ensure!(hooks.len() > 10, "the hooks are not shown:\n{said}");
        for words in hooks {
            let there = symbols
                .lines()
                .any(|line| line.split_whitespace().nth(2) == Some(words[1]));
            let line = words.join(" ");
            if there {
                ensure!(words[2] == form, "not attached although it is there: {line}");
            } else {
                let why = line.contains("not attached (") && line.contains("; not shown: ");
                ensure!(why, "not attached, and no reason: {line}");
            }
        }
    }
    Ok(())
}
