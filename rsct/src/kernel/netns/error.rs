//! Why a network namespace cannot be used.

use std::io;

use thiserror::Error;

/// Why a network namespace cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetnsError {
    /// No namespace has that name, process id or inode number.
    #[error("opening network namespace {wanted:?}: no such name under /run/netns{also}; {existing}")]
    NoSuchName {
        /// The value of `--netns`.
        wanted: String,
        /// What else it was looked up as.
        also: &'static str,
        /// The names that exist.
        existing: String,
    },
    /// It exists and cannot be opened.
    #[error("opening network namespace {wanted}: {source}{}", hint(source))]
    Open {
        /// What was to be opened.
        wanted: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Without /proc no namespace but the named ones can be found.
    #[error(
        "listing network namespaces: /proc shows no processes; mount it (`mount -t proc proc /proc`), or name one \
         namespace with --netns"
    )]
    NoProc,
    /// A directory or file that leads to namespaces cannot be read.
    #[error("listing network namespaces: reading {path}: {source}")]
    List {
        /// The directory or file.
        path: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No new one can be made.
    #[error("making a network namespace: {source}{}", hint_to_make(source))]
    Make {
        /// The kernel's answer.
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
