//! `rsct list | head -1` ends without a message: a closed pipe is no error.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use super::namespace::{Namespace, rsct};

pub fn run() -> Result<()> {
    let namespace = Namespace::new("pipe")?;
    // More than a pipe holds, so that rsct must notice.
    let mut script = String::from("conntrack -R - <<END\n");
    for i in 0..20_000u32 {
        let (high, low) = (i >> 8, i & 255);
        writeln!(
            script,
            "-I -p udp -s 10.0.{high}.{low} -d 10.1.0.1 --sport 1 --dport 2 -t 600"
        )?;
    }
    script += "END\n";
    let path = std::env::temp_dir().join(format!("rsct-{}-entries.sh", std::process::id()));
    std::fs::write(&path, script)?;
    let created = namespace.sh(&format!("sh {}", path.display()));
    std::fs::remove_file(&path)?;
    created?;
    for format in ["text", "json"] {
        let script = format!(
            "exec 2>&1; ({} list -o {format}; echo exit $? >&2) | head -n 1 | wc -l",
            rsct().display()
        );
        let said = namespace.sh(&script)?;
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        ensure!(lines == ["1", "exit 0"], "{format}: {said}");
    }
    // A whole listing has all of them.
    ensure!(
        namespace.list(&[])?.lines().count() == 20_000,
        "entries are missing"
    );
    Ok(())
}
