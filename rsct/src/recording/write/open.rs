//! The file of a recording: one recorder writes it, and it must stay where readers find it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::Path,
    sync::Arc,
};

use super::WriteError;

/// Returns whether the path stands for standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Creates the file or replaces an existing one, unless another recorder is writing that. Standard output is continued.
pub(super) fn open(path: &Path) -> Result<File, WriteError> {
    let failed = |source: io::Error| WriteError::Create {
        path: path.to_owned(),
        source: Arc::new(source),
    };
    if is_stdout(path) {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        return stdout.map(File::from).map_err(failed);
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(failed)?;
    // Pipes and devices have nothing to replace.
    if file.metadata().map_err(failed)?.is_file() {
        // The kernel releases the lock when the file is closed. A file system without locks cannot report the writer.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(WriteError::InUse(path.to_owned()));
        }
        file.set_len(0).map_err(failed)?;
    }
    Ok(file)
}

/// True if the file has no name left, so that nobody can read it later.
pub(super) fn is_deleted(file: &File) -> bool {
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.nlink() == 0)
}
