//! docs/pictures/report.png: the page of `rsct report` about a recording of a guest's traffic.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{
    browser::{Browser, Colors, address},
    build::Profile,
    paths, progress,
    test::pages,
    vm::{self, Boot},
};

/// The traffic that is recorded.
const TRAFFIC: &str = include_str!("traffic.sh");
/// The size of the picture.
const WIDTH: u32 = 1200;
const HEIGHT: u32 = 1280;
/// A README loads quickly.
const MOST_BYTES: usize = 150 << 10;

/// Records traffic in a guest, makes the page and draws its begin.
pub(super) fn draw() -> Result<()> {
    let dir = paths::target().join("pictures");
    vm::prepare(Profile::Quick)?;
    let mut log = Vec::new();
    let code = {
        let _step = progress::step("recording traffic in a guest");
        let boot = Boot {
            script: TRAFFIC.to_owned(),
            out: Some(&dir),
            ..Boot::default()
        };
        boot.run(&mut |bytes| log.extend_from_slice(bytes))?
    };
    if code != 0 {
        bail!(
            "record traffic: the guest ended with {code}:\n{}",
            String::from_utf8_lossy(&log)
        );
    }
    let file = dir.join("report.html");
    pages::make(&[dir.join("host.rsct")], &[], &file)?;
    let (_browser, mut tab) = Browser::start()?;
    tab.load(&address(&file), WIDTH, Colors::Light)?;
    tab.resize(WIDTH, HEIGHT)?;
    let picture = tab.screenshot()?;
    if picture.len() > MOST_BYTES {
        bail!(
            "draw docs/pictures/report.png: it has {} bytes, and at most {MOST_BYTES} are wanted: reduce its size",
            picture.len()
        );
    }
    let path = paths::root().join("docs/pictures/report.png");
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    fs::write(&path, picture).with_context(|| format!("write {}", path.display()))
}
