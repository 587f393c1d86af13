//! A process's limits on open files and threads.

use std::{error::Error, io, ptr};

/// Raises the limit on open files to the maximum that the process may set: some commands hold one or two
/// descriptors per network namespace.
pub(crate) fn raise_open_files() {
    let mut limit = open_files();
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the struct outlives the call. If it fails, the old limit applies, and an error message names it
    // once it is reached.
    unsafe { libc::prlimit(0, libc::RLIMIT_NOFILE, &raw const limit, ptr::null_mut()) };
}

/// Advice for an error that a limit caused.
pub(crate) fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    match error.downcast_ref::<io::Error>()?.raw_os_error()? {
        libc::EMFILE => Some(format!(
            "this process may open {} files; raise that limit with `ulimit -n`",
            open_files().rlim_cur
        )),
        libc::ENFILE => {
            Some("the system's limit on open files is reached; raise the sysctl fs.file-max".to_owned())
        }
        _ => None,
    }
}

/// Adds advice to the error of a thread that could not be started.
pub(crate) fn no_thread(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        let sentence =
            "the limit on processes is reached; raise it (`ulimit -u`, or the control group's pids.max)";
        return io::Error::new(error.kind(), sentence);
    }
    error
}

fn open_files() -> libc::rlimit {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the struct outlives the call.
    unsafe { libc::prlimit(0, libc::RLIMIT_NOFILE, ptr::null(), &raw mut limit) };
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named() {
        let named = |errno| hint(&io::Error::from_raw_os_error(errno));
        assert!(named(libc::EMFILE).unwrap().ends_with("`ulimit -n`"));
        assert!(named(libc::ENFILE).unwrap().ends_with("fs.file-max"));
        assert_eq!(named(libc::ENOENT), None);
        let no_thread = no_thread(io::Error::from_raw_os_error(libc::EAGAIN)).to_string();
        assert!(no_thread.contains("`ulimit -u`"), "{no_thread}");
    }
}
