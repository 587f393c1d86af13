//! The names of older files: FILE.1, FILE.2, … as logrotate names them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::WriteError;

/// The name of the file that is `age` files old.
fn name(path: &Path, age: usize) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    if age > 0 {
        name.push(format!(".{age}"));
    }
    name.into()
}

/// Makes the name of the file free. `keep` files remain with the one that is created next; others may have deleted any.
pub(super) fn shift(path: &Path, keep: usize) -> Result<(), WriteError> {
    if keep < 2 {
        // Its readers keep the old file, rather than one that is truncated.
        return found(fs::remove_file(path)).map_err(|source| WriteError::Create {
            path: path.to_owned(),
            source: Arc::new(source),
        });
    }
    for age in (0..keep - 1).rev() {
        let (from, to) = (name(path, age), name(path, age + 1));
        found(fs::rename(&from, &to)).map_err(|source| WriteError::Rename {
            from,
            to,
            source: Arc::new(source),
        })?;
    }
    Ok(())
}

fn found(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}
