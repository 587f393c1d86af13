//! A file under /etc/sysctl.d with settings.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::{
    cli::{UsageError, replacement::Replacement},
    kernel::{netns, sysctl::drop_in},
};

const DIRECTORY: &str = "/etc/sysctl.d";
/// Mode of a new file.
const NEW_MODE: u32 = 0o644;

/// The file to write.
pub(super) struct DropInFile {
    path: PathBuf,
    text: String,
}

impl DropInFile {
    /// Reads the file and merges the settings into its text.
    pub(super) fn open(name: &str, settings: &[(String, String)]) -> anyhow::Result<Self> {
        let name = checked(name)?;
        let path = Path::new(DIRECTORY).join(name);
        if !Path::new(DIRECTORY).is_dir() {
            bail!("--persist: this machine has no directory {DIRECTORY}");
        }
        let before = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                let before = fs::read_to_string(&path);
                before.with_context(|| format!("--persist: reading {}", path.display()))?
            }
            Ok(_) => bail!(
                "--persist: {} is not a regular file (a link, perhaps); give another name",
                path.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("--persist: reading the metadata of {}", path.display()));
            }
        };
        Ok(Self {
            text: drop_in::merge(&before, settings),
            path,
        })
    }

    /// Checks that this process is in the initial network namespace, to which the file applies.
    pub(super) fn check_namespace(&self) -> anyhow::Result<()> {
        let first = fs::metadata("/proc/1/ns/net")
            .context("--persist: reading the network namespace of process 1, to which the file applies")?;
        if first.ino() != netns::current()?.inode {
            return Err(UsageError(
                "--persist: the file applies to the initial network namespace, and this is another; run the command \
                 there"
                    .to_owned(),
            )
            .into());
        }
        Ok(())
    }

    /// The path and the new text.
    pub(super) fn shown(&self) -> String {
        format!("# {}\n{}", self.path.display(), self.text)
    }

    /// The path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a temporary file: afterwards only the rename can fail.
    pub(super) fn stage(&self) -> anyhow::Result<Staged> {
        let written = || {
            let mut file = Replacement::of(&self.path, "writing settings")?;
            file.set_mode_of_new(NEW_MODE)?;
            file.file.write_all(self.text.as_bytes())?;
            file.sync()?;
            anyhow::Ok(Staged(file))
        };
        written().context("--persist: nothing has been set")
    }
}

/// The written temporary file. Dropping it removes the file.
pub(super) struct Staged(Replacement);

impl Staged {
    /// Renames it to its final name.
    pub(super) fn put(self) -> anyhow::Result<()> {
        let path = self.0.path().to_owned();
        let put = || {
            self.0.put()?;
            File::open(DIRECTORY)?.sync_all()?;
            anyhow::Ok(())
        };
        put().with_context(|| {
            format!(
                "--persist: renaming the new file to {}; the timeouts have been set",
                path.display()
            )
        })
    }
}

/// A file name in the directory that is read at boot.
fn checked(name: &str) -> Result<&str, UsageError> {
    let plain = name
        .strip_prefix(DIRECTORY)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(name);
    let is_sensible = plain
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_sensible && !plain.starts_with('.') && plain.len() > ".conf".len() && plain.ends_with(".conf") {
        Ok(plain)
    } else {
        Err(UsageError(format!(
            "--persist {name:?}: expected the name of a file in {DIRECTORY} that ends in .conf, such as \
             90-rsct-timeouts.conf"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_in_the_directory_are_accepted() {
        for name in ["90-rsct.conf", "/etc/sysctl.d/90-rsct.conf"] {
            assert_eq!(checked(name).ok(), Some("90-rsct.conf"));
        }
        for name in [
            "",
            ".conf",
            "a",
            "a.con",
            "../a.conf",
            "/etc/a.conf",
            "a/b.conf",
            ".a.conf",
            "a b.conf",
            "ä.conf",
            "/etc/sysctl.d/../a.conf",
            "/etc/sysctl.da.conf",
            "a\n.conf",
        ] {
            assert!(checked(name).is_err(), "{name}");
        }
    }
}
