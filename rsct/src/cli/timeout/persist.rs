//! A file under /etc/sysctl.d that settings are kept in.

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
/// The mode of a file that was not there before.
const NEW_MODE: u32 = 0o644;

/// A file that is to be written.
pub(super) struct DropInFile {
    path: PathBuf,
    text: String,
}

impl DropInFile {
    /// Reads what there is, and works out what there will be.
    pub(super) fn open(name: &str, settings: &[(String, String)]) -> anyhow::Result<Self> {
        let name = checked(name)?;
        let path = Path::new(DIRECTORY).join(name);
        if !Path::new(DIRECTORY).is_dir() {
            bail!("--persist: there is no directory {DIRECTORY} on this machine");
        }
        let before = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                let before = fs::read_to_string(&path);
                before.with_context(|| format!("--persist: reading {}", path.display()))?
            }
            Ok(_) => bail!(
                "--persist: {} is no ordinary file (a link, perhaps); name another",
                path.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("--persist: looking at {}", path.display()));
            }
        };
        Ok(Self {
            text: drop_in::merge(&before, settings),
            path,
        })
    }

    /// Checks that this process is in the namespace that the file is for.
    pub(super) fn check_namespace(&self) -> anyhow::Result<()> {
        let first = fs::metadata("/proc/1/ns/net")
            .context("--persist: looking at the network namespace of process 1, which the file is for")?;
        if first.ino() != netns::current()?.inode {
            return Err(UsageError(
                "--persist: the file is for the network namespace that the machine starts with, and this is another; \
                 run it there"
                    .to_owned(),
            )
            .into());
        }
        Ok(())
    }

    /// What will be in it.
    pub(super) fn shown(&self) -> String {
        format!("# {}\n{}", self.path.display(), self.text)
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it beside its place: whatever can fail has then been tried.
    pub(super) fn stage(&self) -> anyhow::Result<Staged> {
        let written = || {
            // Files of other endings are not read at start.
            let mut file = Replacement::of(&self.path, "writing settings")?;
            file.set_mode_of_new(NEW_MODE)?;
            file.file.write_all(self.text.as_bytes())?;
            file.sync()?;
            anyhow::Ok(Staged(file))
        };
        written().context("--persist: nothing has been set")
    }
}

/// A file that only has to be put in its place. It goes if it isn't.
pub(super) struct Staged(Replacement);

impl Staged {
    /// Puts it in place, all at once.
    pub(super) fn put(self) -> anyhow::Result<()> {
        let path = self.0.path().to_owned();
        let put = || {
            self.0.put()?;
            File::open(DIRECTORY)?.sync_all()?;
            anyhow::Ok(())
        };
        put().with_context(|| {
            format!(
                "--persist: putting {} in place, timeouts have been set",
                path.display()
            )
        })
    }
}

/// A name that is read at start, and that leads nowhere else.
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
    fn only_names_in_the_directory_are_taken() {
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
