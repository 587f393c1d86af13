//! Where things are kept, so that everything fetched or built stays under one directory.

use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Cargo's target directory: `cargo clean` takes everything away again.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Tools that are built here rather than installed.
pub fn tools() -> PathBuf {
    target().join("tools")
}

/// What guests are made of.
pub fn guest() -> PathBuf {
    target().join("guest")
}
