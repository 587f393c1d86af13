//! Detaching in a child process.
//!
//! To close a tracing link, the kernel waits until no CPU runs the old code (`ftrace_shutdown`,
//! kernel/trace/ftrace.c). On Linux 6.1 and 6.12 that takes 0.13 s for each link, one after the other. So a child
//! process keeps copies of the descriptors and exits after this process, which then closes its own without waiting.
//!
//! If either process is killed, the kernel still closes its descriptors.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of links without a copy in a child.
static OURS_ALONE: AtomicUsize = AtomicUsize::new(0);

/// Counts a new link.
pub(super) fn attached() {
    OURS_ALONE.fetch_add(1, Ordering::Relaxed);
}

/// Counts the links that remain after others were closed: their copies end with the child, so the next one needs its own.
pub(crate) fn others_remain() {
    attached();
}

/// The child's wait for this process to exit before it exits itself: on one CPU it would delay this process.
const HEAD_START_MS: i32 = 100;

/// Forks the child, if there are links without a copy in a child. Call it before links are closed.
///
/// If fork fails, this process closes the links itself and waits.
pub(super) fn in_background() {
    if OURS_ALONE.swap(0, Ordering::Relaxed) == 0 {
        return;
    }
    let mut ends = [-1; 2];
    // SAFETY: the array holds two descriptors. If the call fails, the child waits HEAD_START_MS.
    unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    let [end, others] = ends;
    // SAFETY: the child makes system calls only and never returns; it acquires no lock that another thread may hold.
    if unsafe { libc::fork() } == 0 {
        // SAFETY: as above.
        unsafe { exit_in_background(end, others) }
    }
    // This process keeps the other end until it exits; the child polls for that.
    // SAFETY: this process made the descriptor and does not use it again.
    unsafe { libc::close(end) };
}

/// The child. It closes the standard streams, so that their readers see the end of rsct, and leaves the terminal's session,
/// so that Ctrl-C does not reach it.
///
/// # Safety
/// To be called right after fork() in the child: it ends the process.
unsafe fn exit_in_background(end: i32, others: i32) -> ! {
    let mut parent = libc::pollfd {
        fd: end,
        events: 0,
        revents: 0,
    };
    // SAFETY: system calls with integers, static strings and a struct of this function's own.
    unsafe {
        libc::setsid();
        libc::prctl(libc::PR_SET_NAME, c"rsct-detach".as_ptr());
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for stream in 0..=2 {
            if null < 0 {
                libc::close(stream);
            } else {
                libc::dup2(null, stream);
            }
        }
        libc::close(others);
        libc::poll(&raw mut parent, 1, HEAD_START_MS);
        libc::_exit(0)
    }
}
