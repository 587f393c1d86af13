//! What of /proc is missing: without it, settings and processes cannot be read, which must not pass for there being none.

use std::path::Path;

/// Why settings cannot be read; `None` where they can.
pub fn settings_missing() -> Option<&'static str> {
    if Path::new("/proc/sys/kernel").exists() {
        None
    } else if Path::new("/proc/self").exists() {
        Some("/proc/sys does not exist: /proc is mounted with subset=pid; mount it without")
    } else {
        Some(NOT_MOUNTED)
    }
}

/// Why other users' processes cannot be seen; `None` where they can, as far as this process may look.
pub fn processes_missing() -> Option<&'static str> {
    if Path::new("/proc/1").exists() {
        None
    } else if Path::new("/proc/self").exists() {
        Some("/proc hides processes of other users (mount option hidepid)")
    } else {
        Some(NOT_MOUNTED)
    }
}

const NOT_MOUNTED: &str = "/proc is not mounted (`mount -t proc proc /proc`)";
