//! Detects missing parts of /proc, so that unreadable settings and processes are not mistaken for none.

use std::path::Path;

/// The cause if settings cannot be read; `None` if they can.
pub(crate) fn settings_missing() -> Option<&'static str> {
    if Path::new("/proc/sys/kernel").exists() {
        None
    } else if Path::new("/proc/self").exists() {
        Some("/proc/sys does not exist: /proc is mounted with subset=pid; mount it without")
    } else {
        Some(NOT_MOUNTED)
    }
}

/// The cause if other users' processes are hidden; `None` if they are visible as far as this process's
/// privileges allow.
pub(crate) fn processes_missing() -> Option<&'static str> {
    if Path::new("/proc/1").exists() {
        None
    } else if Path::new("/proc/self").exists() {
        Some("/proc hides processes of other users (mount option hidepid)")
    } else {
        Some(NOT_MOUNTED)
    }
}

/// The cause if /proc has nothing of this process.
pub(crate) fn missing() -> Option<&'static str> {
    (!Path::new("/proc/self").exists()).then_some(NOT_MOUNTED)
}

const NOT_MOUNTED: &str = "/proc is not mounted (`mount -t proc proc /proc`)";
