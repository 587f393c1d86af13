//! Debian's chromium without a screen, unpacked under target/ and never installed: opens pages as users do.

mod devtools;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

pub use self::devtools::{Colors, Tab};
use crate::{apt::Apt, exec, lock, paths, progress};

const SUITES: &[&str] = &["bookworm", "bookworm-security"];
/// The browser without a window, and a font.
const PACKAGES: &[&str] = &["chromium-headless-shell", "fonts-dejavu-core"];
/// Dependencies that draw by graphics cards, or that only install packages.
const UNNEEDED: &[&str] = &[
    "libllvm15",
    "libz3-4",
    "libgl1-mesa-dri",
    "debconf",
    "x11-utils",
    "xdg-utils",
];
/// Relative to the directory of the unpacked packages, like the following.
const PROGRAM: &str = "usr/lib/chromium/chromium-headless-shell";
/// A copy of the loader next to the program, where the browser looks for its data.
const LOADER: &str = "usr/lib/chromium/loader";
const LIBRARIES: &[&str] = &[
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu/pulseaudio",
    "usr/lib",
];
/// Not read by a browser without a screen.
const PRUNED: &[&str] = &[
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
    "usr/lib/chromium/libVkLayer_khronos_validation.so",
];

/// A running browser; it ends when dropped.
pub struct Browser {
    child: Child,
    profile: PathBuf,
}

impl Browser {
    /// Fetches the browser unless present, and starts it with an empty tab and without a network.
    pub fn start() -> Result<(Self, Tab)> {
        ensure()?;
        let profile = paths::target()
            .join("browser-profile")
            .join(std::process::id().to_string());
        let context = || format!("prepare {}", profile.display());
        exec::remove_dir(&profile)?;
        fs::create_dir_all(&profile).with_context(context)?;
        let fonts = profile.join("fonts.conf");
        let cache = profile.join("fonts");
        let config = format!(
            "<fontconfig><dir>{}</dir><cachedir>{}</cachedir></fontconfig>\n",
            root().join("usr/share/fonts").display(),
            cache.display()
        );
        fs::write(&fonts, config).with_context(context)?;
        let libraries = std::env::join_paths(LIBRARIES.iter().map(|dir| root().join(dir)))
            .with_context(|| format!("set the loader's library path to {}", root().display()))?;
        // DevTools use the descriptors 3 and 4. The loader is that of the browser's own release; child processes would
        // start without it, so there is one process.
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .arg(root().join(LOADER))
            .arg("--inhibit-cache")
            .arg("--library-path")
            .arg(libraries)
            .arg(root().join(PROGRAM))
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--single-process",
                "--no-zygote",
                "--hide-scrollbars",
                "--disable-background-networking",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .env("FONTCONFIG_FILE", &fonts)
            .env_remove("LD_PRELOAD")
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|error| exec::start_error(&command, &error, "start the browser"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        // Dropped from here on, it ends.
        let browser = Self { child, profile };
        let input = input.context("start the browser: it has no input")?;
        let output = output.context("start the browser: it has no output")?;
        let tab = Tab::open(input, output)?;
        Ok((browser, tab))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// The address of a file.
pub fn address(file: &Path) -> String {
    format!("file://{}", file.display())
}

fn ensure() -> Result<()> {
    if root().exists() {
        return Ok(());
    }
    let _lock = lock::take(lock::Kind::Browser)?;
    if root().exists() {
        return Ok(());
    }
    let _step = progress::step("fetching chromium");
    // The lists may name versions that the archive has replaced.
    fetch(false)
        .or_else(|_| fetch(true))
        .context("fetch chromium, which opens the pages of `rsct report`")
}

fn fetch(update: bool) -> Result<()> {
    let apt = Apt::open(SUITES, update)?;
    let mut packages = apt.with_dependencies(PACKAGES)?;
    packages.retain(|package| !UNNEEDED.contains(&package.as_str()));
    let fresh = root().with_extension("new");
    exec::remove_dir(&fresh)?;
    apt.unpack_exactly(&packages, &fresh)?;
    for path in PRUNED {
        let path = fresh.join(path);
        if path.is_dir() {
            exec::remove_dir(&path)?;
        } else if path.exists() {
            fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    let loader = fresh.join("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
    fs::copy(&loader, fresh.join(LOADER)).with_context(|| format!("copy {}", loader.display()))?;
    fs::rename(&fresh, root()).with_context(|| format!("move {}", fresh.display()))
}

fn root() -> PathBuf {
    paths::target().join("browser")
}
