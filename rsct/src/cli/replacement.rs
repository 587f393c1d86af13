//! A file that replaces another once it is complete.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::kernel::interrupt::{self, Watch};

/// Maximum number of links followed, as in the kernel.
const MOST_LINKS: usize = 40;

/// A temporary file next to its target. Dropping it removes the file; until then signals do not kill the process.
pub(super) struct Replacement {
    path: PathBuf,
    temporary: PathBuf,
    pub(super) file: File,
    /// The target did not exist.
    is_new: bool,
    _watch: Watch,
}

impl Replacement {
    /// Creates the temporary file with the owner and mode of the target. If the path is a link, its target is replaced. A
    /// device or pipe is written directly.
    pub(super) fn of(path: &Path, doing: &str) -> anyhow::Result<Self> {
        let context = |what: &str| format!("{doing} to {}: {what}", path.display());
        let target = match fs::metadata(path) {
            Ok(target) => Some(target),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| context("reading its metadata")),
        };
        if target.as_ref().is_some_and(|target| !target.is_file()) {
            let file = OpenOptions::new().write(true).open(path);
            return Ok(Self {
                path: path.to_owned(),
                temporary: path.to_owned(),
                file: file.with_context(|| context("opening it"))?,
                is_new: false,
                _watch: interrupt::watch(),
            });
        }
        let path = followed(path).with_context(|| context("following the link"))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
        // From here on a signal leaves no temporary file.
        let watch = interrupt::watch();
        let mode = if target.is_some() { 0o600 } else { 0o666 };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)
            .with_context(|| context("creating a temporary file next to it"))?;
        let replacement = Self {
            path,
            temporary,
            file,
            is_new: target.is_none(),
            _watch: watch,
        };
        if let Some(target) = target {
            let (user, group) = (target.uid(), target.gid());
            let own = replacement
                .file
                .metadata()
                .with_context(|| context("reading its metadata"))?;
            if (own.uid(), own.gid()) != (user, group)
                && let Err(error) = fchown(&replacement.file, Some(user), Some(group))
            {
                bail!(context(&format!(
                    "keeping its owner {user} and group {group}: {error}; run as root, or give a new file"
                )));
            }
            // After the owner, because a change of owner clears bits.
            replacement
                .file
                .set_permissions(target.permissions())
                .with_context(|| context("keeping its mode"))?;
        }
        Ok(replacement)
    }

    /// The target.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sets the mode of a new file, whatever the umask is.
    pub(super) fn set_mode_of_new(&self, mode: u32) -> io::Result<()> {
        if self.is_new {
            self.file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// The state of the target, for an error message.
    pub(super) fn target_state(&self) -> &'static str {
        match (self.is_temporary(), self.is_new) {
            (false, _) => "",
            (true, true) => "; the file was not created",
            (true, false) => "; the file is unchanged",
        }
    }

    fn is_temporary(&self) -> bool {
        self.temporary != self.path
    }

    /// Truncates the file to this length.
    pub(super) fn truncate(&mut self, to: u64) -> io::Result<()> {
        self.file.set_len(to)?;
        self.file.seek(io::SeekFrom::Start(to)).map(drop)
    }

    /// Flushes the file to the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.is_temporary() {
            self.file.flush()?;
            self.file.sync_all()?;
        }
        Ok(())
    }

    /// Flushes the file to the disk and replaces the target.
    pub(super) fn put(mut self) -> anyhow::Result<()> {
        if !self.is_temporary() {
            return Ok(());
        }
        let put = self.sync().and_then(|()| fs::rename(&self.temporary, &self.path));
        match put {
            Ok(()) => {
                // Nothing is left to remove.
                self.temporary.clone_from(&self.path);
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The error of a write.
    pub(super) fn failed(self, error: io::Error) -> anyhow::Error {
        anyhow::anyhow!("writing {}: {error}{}", self.path.display(), self.target_state())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if self.is_temporary() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// The final target of a chain of links, whether or not it exists.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            // No link, or no file.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                return match path.file_name() {
                    Some(name) if name != OsStr::new("") => Ok(path),
                    _ => Err(io::ErrorKind::IsADirectory.into()),
                };
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}
