//! Layers of the initramfs that stay the same between boots are kept as files.
//!
//! The kernel unpacks archives that follow one another, so a boot only copies layers together.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result};

use crate::lock;

/// The layer in `file`, made by `make` if it is missing or older than one of `sources` or than xtask itself.
pub fn cached(file: &Path, sources: &[&Path], make: impl FnOnce() -> Result<Vec<u8>>) -> Result<PathBuf> {
    // xtask decides what goes into a layer.
    let program = std::env::current_exe().context("find xtask's own file")?;
    let newest = sources
        .iter()
        .copied()
        .chain([program.as_path()])
        .filter_map(modified)
        .max();
    let stale = || modified(file).is_none() || modified(file) < newest;
    if stale() {
        let _lock = lock::take(lock::Kind::Guests)?;
        if !stale() {
            return Ok(file.to_owned());
        }
        let bytes = make()?;
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        }
        // Never seen half written by those who do not have to wait.
        let fresh = file.with_extension("new");
        fs::write(&fresh, bytes).with_context(|| format!("write {}", fresh.display()))?;
        fs::rename(&fresh, file).with_context(|| format!("move {}", fresh.display()))?;
    }
    Ok(file.to_owned())
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|meta| meta.modified()).ok()
}
