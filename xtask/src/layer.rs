//! Cached layers of the initramfs that do not change between boots.
//!
//! The kernel unpacks concatenated archives, so a boot only concatenates layers.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result};

use crate::lock;

/// The layer in `file`; rebuilt by `make` if it is missing or older than one of `sources` or than xtask itself.
pub fn cached(file: &Path, sources: &[&Path], make: impl FnOnce() -> Result<Vec<u8>>) -> Result<PathBuf> {
    // xtask determines a layer's contents.
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
        // Renamed when complete, because readers do not take the lock.
        let fresh = file.with_extension("new");
        fs::write(&fresh, bytes).with_context(|| format!("write {}", fresh.display()))?;
        fs::rename(&fresh, file).with_context(|| format!("move {}", fresh.display()))?;
    }
    Ok(file.to_owned())
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|meta| meta.modified()).ok()
}
