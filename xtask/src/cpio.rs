//! Writer of "newc" cpio archives for an initramfs; all files belong to root.
//!
//! Needed because a guest has device nodes, and creating those on disk requires root.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::{Context as _, Result};

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;

/// An archive under construction. Paths in it have no leading slash.
#[derive(Default)]
pub struct Cpio {
    bytes: Vec<u8>,
    inode: u32,
}

impl Cpio {
    /// Adds a directory.
    pub fn dir(&mut self, path: &str) {
        self.entry(path, DIRECTORY | 0o755, (0, 0), &[]);
    }

    /// Adds a file with the permissions `mode`.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, REGULAR | (mode & 0o7777), (0, 0), content);
    }

    /// Adds a symbolic link to `to`.
    pub fn symlink(&mut self, path: &str, to: &str) {
        self.entry(path, SYMLINK | 0o777, (0, 0), to.as_bytes());
    }

    /// Adds a character device.
    pub fn character(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, CHARACTER | 0o600, (major, minor), &[]);
    }

    /// Adds a file of this machine with its own permissions.
    pub fn copy(&mut self, path: &str, from: &Path) -> Result<()> {
        let context = || format!("copy {} into the guest", from.display());
        let content = fs::read(from).with_context(context)?;
        let mode = fs::metadata(from).with_context(context)?.mode();
        self.file(path, mode, &content);
        Ok(())
    }

    /// Adds everything under the directory `from` that `wanted` accepts by its path in the archive.
    pub fn tree(&mut self, path: &str, from: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        let context = || format!("copy {} into the guest", from.display());
        let mut entries = Vec::new();
        for entry in fs::read_dir(from).with_context(context)? {
            entries.push(entry.with_context(context)?);
        }
        // Sorted for a reproducible archive.
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if path.is_empty() {
                name
            } else {
                format!("{path}/{name}")
            };
            if !wanted(&path) {
                continue;
            }
            let from = entry.path();
            let meta = fs::symlink_metadata(&from).with_context(context)?;
            if meta.is_dir() {
                self.entry(
                    &path,
                    DIRECTORY | (meta.permissions().mode() & 0o7777),
                    (0, 0),
                    &[],
                );
                self.tree(&path, &from, wanted)?;
            } else if meta.is_symlink() {
                let to = fs::read_link(&from).with_context(context)?;
                self.symlink(&path, &to.to_string_lossy());
            } else if meta.is_file() {
                self.copy(&path, &from)?;
            }
        }
        Ok(())
    }

    /// The archive; archives can be concatenated.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        self.inode += 1;
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let fields = [
            self.inode,
            mode,
            0,
            0,
            links,
            0,
            // The format has no larger size; no initramfs holds a file of 4 GiB.
            u32::try_from(content.len()).unwrap_or(u32::MAX),
            0,
            0,
            major,
            minor,
            u32::try_from(path.len() + 1).unwrap_or(u32::MAX),
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn every_part_is_aligned() {
        for length in 0..9 {
            let mut cpio = Cpio::default();
            cpio.file("a", 0o644, &vec![b'x'; length]);
            assert_eq!(cpio.bytes.len() % 4, 0);
        }
    }

    #[test]
    fn a_header_describes_the_file() {
        let mut cpio = Cpio::default();
        cpio.file("etc/x", 0o644, b"hello");
        let bytes = cpio.finish();
        assert_eq!(&bytes[..6], b"070701");
        assert_eq!(&bytes[14..22], b"000081a4");
        assert_eq!(&bytes[54..62], b"00000005");
        assert_eq!(&bytes[94..102], b"00000006");
        assert_eq!(&bytes[110..116], b"etc/x\0");
        assert_eq!(&bytes[116..121], b"hello");
        assert!(bytes.windows(10).any(|part| part == b"TRAILER!!!"));
    }

    #[test]
    fn busybox_reads_it_back() {
        let mut child = Command::new("busybox")
            .args(["cpio", "-t"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("busybox, which `cargo xtask test` installs");
        let mut cpio = Cpio::default();
        cpio.dir("dev");
        cpio.character("dev/console", 5, 1);
        cpio.symlink("init", "bin/sh");
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, &cpio.finish()).unwrap();
        drop(stdin);
        let listed = child.wait_with_output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&listed), "dev\ndev/console\ninit\n");
    }
}
