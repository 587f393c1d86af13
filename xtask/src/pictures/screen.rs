//! docs/pictures/top.svg: the screen of `rsct top` in a guest with traffic, as tmux captures it.

use std::fs;

use anyhow::{Context as _, Result};

use super::guest;
use crate::{paths, picture};

/// The traffic, and the screen.
const TRAFFIC: &str = include_str!("screen.sh");

/// Runs rsct in a guest, and draws its screen.
pub(super) fn draw() -> Result<()> {
    let dir = guest::run("running rsct top", TRAFFIC)?;
    let file = dir.join("top.txt");
    let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let path = paths::root().join("docs/pictures/top.svg");
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    fs::write(&path, picture::drawn(&text)).with_context(|| format!("write {}", path.display()))
}
