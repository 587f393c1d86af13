//! Errors of finding and opening network namespaces.

use std::io;

use thiserror::Error;

/// A network namespace cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetnsError {
    /// No namespace has that name, process id or inode number.
    #[error("opening network namespace {wanted:?}: no such name under /run/netns{also}; {existing}")]
    NoSuchName {
        /// The value of `--netns`.
        wanted: String,
        /// The other kinds of value that it was looked up as.
        also: &'static str,
        /// The names that exist.
        existing: String,
    },
    /// It exists but cannot be opened.
    #[error("opening network namespace {wanted}: {source}{}", hint(source))]
    Open {
        /// The namespace.
        wanted: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// Without /proc only named namespaces can be found.
    #[error(
        "listing network namespaces: /proc has no processes; mount it (`mount -t proc proc /proc`), or \
         select one namespace with --netns"
    )]
    NoProc,
    /// A directory or file that leads to namespaces cannot be read.
    #[error("listing network namespaces: reading {path}: {source}")]
    List {
        /// The directory or file.
        path: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// The process that opens namespaces could not.
    #[error("{0}")]
    Helper(String),
    /// A namespace cannot be created.
    #[error("creating a network namespace: {source}{}", hint_to_make(source))]
    Make {
        /// The kernel's error.
        source: io::Error,
    },
}

fn hint(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EACCES) => "; run as root or with the capability CAP_SYS_PTRACE",
        Some(libc::EMFILE) => "; raise the limit with `ulimit -n`",
        _ => "",
    }
}

fn hint_to_make(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::PermissionDenied {
        "; run as root or with the capability CAP_SYS_ADMIN"
    } else {
        ""
    }
}
