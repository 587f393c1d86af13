//! Opens a network namespace from a file that refers to it.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::Path,
    sync::Arc,
};

use super::{Netns, NetnsName};

/// The namespace file system's magic number; libc's constant and field differ in type between C libraries.
const NSFS_MAGIC: i128 = 0x6e73_6673;
/// `NS_GET_NSTYPE` (include/uapi/linux/nsfs.h, Linux 4.11 on).
const NS_GET_NSTYPE: u32 = 0xb703;

/// Opens a file that refers to a network namespace; without a name, the inode number becomes its name.
pub(super) fn open(path: &Path, name: Option<String>) -> io::Result<Netns> {
    of(File::open(path)?, name)
}

/// The namespace that an open file refers to.
pub(super) fn of(file: File, name: Option<String>) -> io::Result<Netns> {
    let inode = file.metadata()?.ino();
    // A name whose namespace was deleted is an empty file on another file system.
    if !is_of_nsfs(&file)? {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "this is an ordinary file, not a namespace; if a namespace was mounted there, it has been \
             unmounted",
        ));
    }
    if !is_net(&file)? {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "this is a namespace of another type, not a network namespace",
        ));
    }
    Ok(Netns {
        named: NetnsName {
            name: name.unwrap_or_else(|| inode.to_string()).into(),
            inode,
        },
        fd: Arc::new(file.into()),
    })
}

fn is_of_nsfs(file: &File) -> io::Result<bool> {
    // SAFETY: all-zero bytes are a valid statfs.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, and the memory outlives the call.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Signed in one libc, unsigned in another.
    Ok(i128::from(stat.f_type) == NSFS_MAGIC)
}

fn is_net(file: &File) -> io::Result<bool> {
    // SAFETY: this request has no argument, and the descriptor is open.
    match unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE as _) } {
        -1 => Err(io::Error::last_os_error()),
        found => Ok(found == libc::CLONE_NEWNET),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_file_is_no_namespace() {
        let error = open(Path::new("/etc/passwd"), None).unwrap_err().to_string();
        assert!(error.contains("ordinary file"), "{error}");
    }

    #[test]
    fn a_namespace_of_another_type_is_no_network_namespace() {
        let error = open(Path::new("/proc/self/ns/uts"), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("another type"), "{error}");
    }
}
