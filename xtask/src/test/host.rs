//! The suites that run on this machine itself: unit tests and native scenarios.

use std::process::Command;

use anyhow::{Result, bail};

use super::{cargo, plan::Listed};
use crate::{
    build::Profile,
    exec, machine, progress,
    report::{Scenarios, Tally},
    toolchain,
};

/// Unit and property tests of every crate that runs on this machine.
pub fn unit(filter: Option<&str>) -> Result<Tally> {
    machine::ensure(&[machine::FOR_UNIT_TESTS])?;
    let mut command = toolchain::cargo()?;
    command.args(["test", "--locked", "--quiet", "--no-fail-fast"]);
    for package in ["rsct", "rsct-common", "rsct-tests", "xtask"] {
        command.args(["--package", package]);
    }
    command.arg("--").args(filter);
    toolchain::without_ebpf(&mut command);
    let output = exec::capture(&mut command, "run the unit tests")?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() && !text.contains("test result: FAILED") {
        // Compilation failed: the compiler's output has the reason.
        text.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    Ok(cargo::tally(&text, output.status.success()))
}

/// Native scenarios, from the list.
pub fn native(listed: &Result<Listed, String>, filter: Option<&str>) -> Result<Tally> {
    match listed {
        Err(complaint) => bail!("{complaint}"),
        Ok(listed) if listed.native.is_empty() => return Ok(Tally::default()),
        Ok(_) => {}
    }
    if !exec::is_root() {
        progress::note("native tests are skipped: they create network namespaces, which requires root");
        return Ok(Tally {
            skipped: 1,
            ..Tally::default()
        });
    }
    machine::ensure(&[machine::FOR_NATIVE_TESTS])?;
    let mut command = Command::new(Profile::Quick.built("rsct-tests"));
    Profile::Quick
        .add_to_path(&mut command)?
        .arg("native")
        .args(filter);
    let output = exec::capture(&mut command, "run the native tests")?;
    let mut scenarios = Scenarios::default();
    for part in [&output.stderr, &output.stdout] {
        for line in String::from_utf8_lossy(part).lines() {
            scenarios.line(line);
        }
    }
    Ok(scenarios.end(output.status.code().unwrap_or(-1)).at("native"))
}
