//! docs/pictures/top.svg: the screen of `rsct top` in a guest with traffic, as tmux captures it.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{
    build::Profile,
    paths, picture, progress,
    vm::{self, Boot},
};

/// The traffic, and the screen.
const TRAFFIC: &str = include_str!("screen.sh");

/// Runs rsct in a guest, and draws its screen.
pub(super) fn draw() -> Result<()> {
    let dir = paths::target().join("pictures");
    vm::prepare(Profile::Quick)?;
    let mut log = Vec::new();
    let code = {
        let _step = progress::step("running rsct top in a guest");
        let boot = Boot {
            script: TRAFFIC.to_owned(),
            out: Some(&dir),
            ..Boot::default()
        };
        boot.run(&mut |bytes| log.extend_from_slice(bytes))?
    };
    if code != 0 {
        bail!(
            "capture the screen of rsct top: the guest ended with {code}:\n{}",
            String::from_utf8_lossy(&log)
        );
    }
    let file = dir.join("top.txt");
    let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let path = paths::root().join("docs/pictures/top.svg");
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    fs::write(&path, picture::drawn(&text)).with_context(|| format!("write {}", path.display()))
}
