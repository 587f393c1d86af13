//! A bootable kernel: its vmlinuz and its modules.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// Position in a bzImage of the offset of the version, and the base of that offset (Documentation/arch/x86/boot.rst,
/// `kernel_version`).
const VERSION_POINTER: usize = 0x20e;
const VERSION_BASE: usize = 0x200;

/// A kernel and its modules.
#[derive(Debug)]
pub struct Image {
    /// The file that boots.
    pub vmlinuz: PathBuf,
    /// The release, as `uname -r` prints it.
    pub release: String,
    /// The directory of its modules, named after the release.
    pub modules: PathBuf,
}

impl Image {
    /// Opens the kernel in `vmlinuz`, with the modules next to it or in the standard directory.
    pub fn open(vmlinuz: &Path) -> Result<Self> {
        let bytes = fs::read(vmlinuz).with_context(|| {
            format!(
                "read the kernel {} (some distributions let only root do so)",
                vmlinuz.display()
            )
        })?;
        let release = release(&bytes).with_context(|| {
            format!(
                "{} is not an x86 Linux kernel image (a bzImage)",
                vmlinuz.display()
            )
        })?;
        let dir = fs::canonicalize(vmlinuz)
            .with_context(|| format!("resolve {}", vmlinuz.display()))?
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        let mut places = vec![dir.clone(), dir.join("lib/modules").join(&release)];
        if let Some(up) = dir.parent() {
            places.push(up.join("lib/modules").join(&release));
            places.push(up.join("usr/lib/modules").join(&release));
        }
        places.push(PathBuf::from("/lib/modules").join(&release));
        let found = places
            .iter()
            .find(|place| place.ends_with(&release) && place.join("kernel").is_dir());
        let Some(modules) = found else {
            bail!(
                "the kernel {} is {release}, but no modules of that release were found next to it or in /lib/modules",
                vmlinuz.display()
            );
        };
        Ok(Self {
            vmlinuz: vmlinuz.to_owned(),
            release,
            modules: modules.clone(),
        })
    }
}

fn release(bytes: &[u8]) -> Option<String> {
    if bytes.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let pointer = bytes.get(VERSION_POINTER..VERSION_POINTER + 2)?;
    let offset = usize::from(u16::from_le_bytes([pointer[0], pointer[1]]));
    let version = bytes.get(VERSION_BASE + offset..)?;
    let end = version.iter().position(|&byte| byte == b' ' || byte == 0)?;
    String::from_utf8(version[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn a_kernel_has_its_release() {
        let mut bytes = vec![0; 0x400];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
        bytes[0x300..0x310].copy_from_slice(b"6.1.0-56-a (x) #");
        assert_eq!(release(&bytes).as_deref(), Some("6.1.0-56-a"));
    }

    #[test]
    fn other_files_are_rejected() {
        assert_eq!(release(b"#!/bin/sh\n"), None);
        let mut bytes = vec![0; 0x210];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&0xffffu16.to_le_bytes());
        assert_eq!(release(&bytes), None);
    }
}
