//! Settings under /proc/sys/net, which belong to the network namespace of the thread that opens the file.

pub(crate) mod drop_in;

use std::{
    fs, io,
    os::{fd::BorrowedFd, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{helper, netns, proc};

/// The directory of netfilter's settings.
pub(crate) const NETFILTER: &str = "net.netfilter";

/// The namespace to read or write settings in.
#[derive(Clone, Copy, Debug)]
pub enum Where<'a> {
    /// That of this process; needs no privileges.
    Here,
    /// Another.
    Inside(BorrowedFd<'a>),
}

/// A setting's current state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its value without the line end, or the errno if it cannot be read.
    pub value: Result<String, i32>,
    /// True if its file mode allows a write here.
    pub writable: bool,
}

impl Where<'_> {
    /// Reads settings by their dotted names; `None` for a setting that this kernel does not have.
    pub fn read(self, names: &[String]) -> io::Result<Vec<Option<Setting>>> {
        if let Self::Inside(netns) = self
            && let Some(settings) = helper::settings(netns, names)
        {
            return settings;
        }
        self.work(|| names.iter().map(|name| setting(&path(name))).collect())
    }

    /// Dotted names of the settings in a directory.
    pub fn names(self, directory: &str) -> io::Result<Vec<String>> {
        self.work(|| {
            let mut names = Vec::new();
            for entry in fs::read_dir(path(directory))? {
                let entry = entry?;
                if entry.file_type()?.is_file()
                    && let Ok(name) = entry.file_name().into_string()
                {
                    names.push(format!("{directory}.{name}"));
                }
            }
            names.sort();
            Ok(names)
        })?
    }

    /// Writes a setting.
    pub fn write(self, name: &str, value: &str) -> io::Result<()> {
        self.work(|| fs::write(path(name), value))?
    }

    fn work<T: Send>(self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        if let Some(cause) = proc::settings_missing() {
            return Err(io::Error::other(cause));
        }
        match self {
            Self::Here => Ok(work()),
            Self::Inside(netns) => netns::inside(netns, work),
        }
    }
}

/// The file of a setting. No conntrack setting has a dot or a slash in its own name.
fn path(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name.replace('.', "/"))
}

fn setting(path: &Path) -> Option<Setting> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let value = fs::read_to_string(path)
        .map(|value| value.trim_end().to_owned())
        .map_err(|error| error.raw_os_error().unwrap_or(libc::EIO));
    Some(Setting {
        value,
        writable: metadata.permissions().mode() & 0o222 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_missing_ones_are_none() {
        let names = ["kernel.ostype", "kernel.no_such_setting", "net"].map(str::to_owned);
        let read = Where::Here.read(&names).unwrap();
        let ostype = Setting {
            value: Ok("Linux".to_owned()),
            writable: false,
        };
        assert_eq!(read, [Some(ostype), None, None]);
    }
}
