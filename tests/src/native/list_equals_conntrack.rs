//! `rsct list` prints the same as `conntrack -L`, over a table with something of everything.

use anyhow::{Result, ensure};

use super::table;

pub fn run() -> Result<()> {
    let namespace = table::broad()?;
    let lines = namespace.list(&[])?;
    ensure!(lines.lines().count() > 25, "the table is thin:\n{lines}");
    let has_helper = namespace.sh("iptables -t raw -S OUTPUT")?.contains("--helper");
    ensure!(
        !has_helper || lines.contains("helper=tftp"),
        "no entry with a helper:\n{lines}"
    );
    table::same_but_for_time(&lines, &namespace.conntrack(&[])?)?;
    table::same_but_for_time(
        &namespace.list(&["-o", "extended"])?,
        &namespace.conntrack(&["-o", "extended"])?,
    )?;
    // From outside, by name, the same.
    let outside = super::namespace::succeeds(std::process::Command::new(super::namespace::rsct()).args([
        "list",
        "--netns",
        &namespace.name,
    ]))?;
    table::same_but_for_time(&outside, &namespace.conntrack(&[])?)
}
