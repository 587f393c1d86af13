//! The units for systemd, judged by `systemd-analyze security`: an exposure below 3.0.

use std::{fs, io, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::registry::Skip;

const UNITS: [(&str, &str); 2] = [
    (
        "rsct-record.service",
        include_str!("../../../dist/systemd/rsct-record.service"),
    ),
    (
        "rsct-metrics.service",
        include_str!("../../../dist/systemd/rsct-metrics.service"),
    ),
];

pub fn run() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("rsct-units-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let judged = UNITS.iter().try_for_each(|(name, text)| {
        ensure!(
            text.contains("\nType=notify\n"),
            "{name} does not wait for the start"
        );
        let unit = directory.join(name);
        fs::write(&unit, text)?;
        // 30 is 3.0: the command fails above it.
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--offline=true", "--no-pager", "--threshold=30"]);
        match command.arg(&unit).output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Skip("systemd-analyze is not installed".to_owned()).into())
            }
            Err(error) => Err(error).context("start systemd-analyze"),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout);
                ensure!(
                    output.status.success() && text.contains("Overall exposure level"),
                    "{text}"
                );
                Ok(())
            }
        }
    });
    fs::remove_dir_all(directory)?;
    judged
}
