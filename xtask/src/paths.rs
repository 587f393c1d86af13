//! Paths: everything fetched or built is kept under one directory.

use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Cargo's target directory: `cargo clean` removes everything.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Tools that are built rather than installed.
pub fn tools() -> PathBuf {
    target().join("tools")
}

/// The parts of guests.
pub fn guest() -> PathBuf {
    target().join("guest")
}
