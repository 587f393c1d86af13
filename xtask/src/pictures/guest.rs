//! A guest with traffic, whose files the pictures are drawn from.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{
    build::Profile,
    paths, progress,
    vm::{self, Boot},
};

/// The namespaces of each run.
const LAB: &str = include_str!("lab.sh");

/// Runs a script after that of the namespaces. Returns the directory with its files.
pub(super) fn run(what: &str, script: &str) -> Result<PathBuf> {
    let dir = paths::target().join("pictures");
    vm::prepare(Profile::Quick)?;
    let mut log = Vec::new();
    let code = {
        let _step = progress::step(format!("{what} in a guest"));
        let boot = Boot {
            script: format!("{LAB}{script}"),
            out: Some(&dir),
            ..Boot::default()
        };
        boot.run(&mut |bytes| log.extend_from_slice(bytes))?
    };
    if code != 0 {
        bail!(
            "{what}: the guest ended with {code}:\n{}",
            String::from_utf8_lossy(&log)
        );
    }
    Ok(dir)
}
