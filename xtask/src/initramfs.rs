//! Assembles a guest's initramfs: the cached layers, then the part specific to this boot.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    build::{self, Profile},
    cpio::Cpio,
    image::Image,
    modules, tools,
};

const INIT: &str = include_str!("init.sh");

/// Contents and command of a guest.
pub struct Contents<'a> {
    /// The kernel, whose modules are included.
    pub image: &'a Image,
    /// The build of its programs.
    pub profile: Profile,
    /// Additional Debian packages.
    pub with: &'a [String],
    /// Files of this machine, each with its path in the guest.
    pub files: &'a [(PathBuf, String)],
    /// The guest's command, a shell script.
    pub script: String,
    /// Arguments of `stty` for a command on a terminal.
    pub terminal: Option<String>,
}

/// Writes the initramfs to `file`.
pub fn write(contents: &Contents<'_>, file: &Path) -> Result<()> {
    let mut layers = vec![tools::layer()?];
    for package in contents.with {
        layers.push(tools::extra_layer(package)?);
    }
    layers.push(modules::layer(contents.image)?);
    let context = || format!("write the initramfs {}", file.display());
    let mut out = File::create(file).with_context(context)?;
    for layer in layers {
        let mut from = File::open(&layer).with_context(|| format!("open {}", layer.display()))?;
        io::copy(&mut from, &mut out).with_context(context)?;
    }
    out.write_all(&last_layer(contents)?).with_context(context)
}

fn last_layer(contents: &Contents<'_>) -> Result<Vec<u8>> {
    let mut cpio = Cpio::default();
    for dir in [
        "dev",
        "etc",
        "out",
        "proc",
        "root",
        "rsct",
        "run",
        "sys",
        "tmp",
        "usr/local",
        "usr/local/bin",
        "var",
    ] {
        cpio.dir(dir);
    }
    cpio.symlink("var/run", "/run");
    // Init needs these for its own output before devtmpfs is mounted.
    cpio.character("dev/console", 5, 1);
    cpio.character("dev/null", 1, 3);
    cpio.file("init", 0o755, INIT.as_bytes());
    cpio.file(
        "etc/passwd",
        0o644,
        b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    );
    cpio.file("etc/group", 0o644, b"root:x:0:\nnogroup:x:65534:\n");
    cpio.file("etc/hosts", 0o644, b"127.0.0.1 localhost\n::1 localhost\n");
    cpio.file(
        "etc/nsswitch.conf",
        0o644,
        b"passwd: files\ngroup: files\nhosts: files\nprotocols: files\nservices: files\n",
    );
    cpio.file("rsct/command", 0o644, contents.script.as_bytes());
    if let Some(stty) = &contents.terminal {
        cpio.file("rsct/terminal", 0o644, stty.as_bytes());
    }
    for program in build::PROGRAMS {
        cpio.copy(
            &format!("usr/local/bin/{program}"),
            &contents.profile.built(program),
        )?;
    }
    for (from, to) in contents.files {
        add_file(&mut cpio, from, to)?;
    }
    Ok(cpio.finish())
}

fn add_file(cpio: &mut Cpio, from: &Path, to: &str) -> Result<()> {
    let to = to.trim_start_matches('/');
    let mut parent = String::new();
    for part in Path::new(to).parent().into_iter().flat_map(Path::components) {
        if !parent.is_empty() {
            parent.push('/');
        }
        parent.push_str(&part.as_os_str().to_string_lossy());
        cpio.dir(&parent);
    }
    let meta = fs::metadata(from).with_context(|| format!("copy {} into the guest", from.display()))?;
    if meta.is_dir() {
        cpio.dir(to);
        cpio.tree(to, from, &|_| true)
    } else if meta.is_file() {
        cpio.copy(to, from)
    } else {
        bail!(
            "copy {} into the guest: it is neither a file nor a directory",
            from.display()
        )
    }
}
