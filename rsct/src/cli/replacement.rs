//! A file that takes another's place once it is whole.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::kernel::interrupt::{self, Watch};

/// How many links are followed, as by the kernel.
const MOST_LINKS: usize = 40;

/// Such a file. It is removed if it does not get to its place; a signal that arrives meanwhile does not kill the process.
pub(super) struct Replacement {
    path: PathBuf,
    beside: PathBuf,
    pub(super) file: File,
    /// There was none before.
    is_new: bool,
    _watch: Watch,
}

impl Replacement {
    /// Begins one next to the file whose place it is to take, with that file's owner and mode. A link's target is
    /// replaced, not the link. What is no ordinary file, a device or a pipe, is written to at once.
    pub(super) fn of(path: &Path, doing: &str) -> anyhow::Result<Self> {
        let place = |what: &str| format!("{doing} to {}: {what}", path.display());
        let there = match fs::metadata(path) {
            Ok(there) => Some(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| place("looking at it")),
        };
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let file = OpenOptions::new().write(true).open(path);
            return Ok(Self {
                path: path.to_owned(),
                beside: path.to_owned(),
                file: file.with_context(|| place("opening it"))?,
                is_new: false,
                _watch: interrupt::watch(),
            });
        }
        let path = followed(path).with_context(|| place("following the link"))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
        // From here on a signal leaves no file behind.
        let watch = interrupt::watch();
        let mode = if there.is_some() { 0o600 } else { 0o666 };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)
            .with_context(|| place("making a file next to it, which takes its place once it is whole"))?;
        let replacement = Self {
            path,
            beside,
            file,
            is_new: there.is_none(),
            _watch: watch,
        };
        if let Some(there) = there {
            let (user, group) = (there.uid(), there.gid());
            let own = replacement
                .file
                .metadata()
                .with_context(|| place("looking at it"))?;
            if (own.uid(), own.gid()) != (user, group)
                && let Err(error) = fchown(&replacement.file, Some(user), Some(group))
            {
                bail!(place(&format!(
                    "keeping its owner {user} and group {group}: {error}; run as root, or give a new file"
                )));
            }
            // Behind the owner, as a change of owner takes bits away.
            replacement
                .file
                .set_permissions(there.permissions())
                .with_context(|| place("keeping its mode"))?;
        }
        Ok(replacement)
    }

    /// The file whose place is taken.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Has a new file get this mode, whatever the process's mask is.
    pub(super) fn set_mode_of_new(&self, mode: u32) -> io::Result<()> {
        if self.is_new {
            self.file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// What an error adds: what became of the file's place.
    pub(super) fn is_left(&self) -> &'static str {
        match (self.is_beside(), self.is_new) {
            (false, _) => "",
            (true, true) => "; there is no such file",
            (true, false) => "; it is left as it was",
        }
    }

    fn is_beside(&self) -> bool {
        self.beside != self.path
    }

    /// Takes back what was written behind this length.
    pub(super) fn take_back(&mut self, to: u64) -> io::Result<()> {
        self.file.set_len(to)?;
        self.file.seek(io::SeekFrom::Start(to)).map(drop)
    }

    /// Has all of it on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.is_beside() {
            self.file.flush()?;
            self.file.sync_all()?;
        }
        Ok(())
    }

    /// Takes the place, with everything on the disk.
    pub(super) fn put(mut self) -> anyhow::Result<()> {
        if !self.is_beside() {
            return Ok(());
        }
        let put = self.sync().and_then(|()| fs::rename(&self.beside, &self.path));
        match put {
            Ok(()) => {
                // It is there now under its name.
                self.beside.clone_from(&self.path);
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The error of a write.
    pub(super) fn failed(self, error: io::Error) -> anyhow::Error {
        anyhow::anyhow!("writing {}: {error}{}", self.path.display(), self.is_left())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if self.is_beside() {
            // Nobody wants what is not whole.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// The path that a link leads to in the end, whether or not there is something.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            // No link, or nothing there.
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
