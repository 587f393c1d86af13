//! A file that readers never see in part: written under another name, then renamed.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::outside::shown;

/// Checks that the file can be written, and leaves it as it is.
pub(super) fn can_write(file: &Path) -> Result<()> {
    let fresh = fresh(file);
    if let Err(error) = fs::write(&fresh, "") {
        bail!("cannot write {}: {error}", name(file));
    }
    // If it cannot be removed, the next writing replaces it.
    let _ = fs::remove_file(&fresh);
    if file.is_dir() {
        bail!(
            "cannot write {}: it is a directory; add a file name such as rsct.prom",
            name(file)
        );
    }
    Ok(())
}

/// Replaces the file.
pub(super) fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let fresh = fresh(file);
    fs::write(&fresh, text)?;
    fs::rename(&fresh, file)
}

/// Failures, each reported once until it ends.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Option<String>,
}

impl Complaints {
    /// Reports a failure that is new.
    pub(super) fn report(&mut self, written: io::Result<()>) {
        let complaint = written.err().map(|error| error.to_string());
        if let Some(complaint) = &complaint
            && self.last.as_ref() != Some(complaint)
        {
            message!("cannot write the metrics: {complaint}; trying again at each interval");
        }
        self.last = complaint;
    }
}

fn fresh(file: &Path) -> PathBuf {
    let mut name = file.file_name().map(OsString::from).unwrap_or_default();
    // node_exporter reads names that end in .prom.
    name.push(format!(".{}.new", std::process::id()));
    file.with_file_name(name)
}

fn name(file: &Path) -> String {
    shown(file.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let dir = std::env::temp_dir().join(format!("rsct-textfile-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("rsct.prom");
        can_write(&file).unwrap();
        assert!(!file.exists());
        write(&file, b"one").unwrap();
        write(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        let error = can_write(&dir.join("none/rsct.prom")).unwrap_err().to_string();
        assert!(
            error.contains("cannot write") && error.contains("No such file"),
            "{error}"
        );
        let error = can_write(&dir).unwrap_err().to_string();
        assert!(error.contains("is a directory"), "{error}");
        fs::remove_dir_all(&dir).unwrap();
    }
}
