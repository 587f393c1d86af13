//! docs/pictures/report.png: the page of `rsct report` about a recording of a guest's traffic.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::guest;
use crate::{
    browser::{Browser, Colors, address},
    paths,
    test::pages,
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
    let dir = guest::run("recording traffic", TRAFFIC)?;
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
