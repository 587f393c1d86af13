//! Detaching without making anybody wait.
//!
//! Closing a tracing link has the kernel wait until no CPU runs the old code any more (`ftrace_shutdown`,
//! kernel/trace/ftrace.c): before Linux 6.18 some 0.13 s for each link, one after the other. So the last descriptors are
//! left to a child process, which closes them by exiting, while this process prints its summary and ends.
//!
//! The kernel does the same if this process is killed, or the child: the descriptors then close with their last owner.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many links were attached that no child has descriptors of.
static OURS_ALONE: AtomicUsize = AtomicUsize::new(0);

/// A program was attached: its link must be in no hurry to close.
pub fn attached() {
    OURS_ALONE.fetch_add(1, Ordering::Relaxed);
}

/// Makes a child that has all the descriptors of this process and exits, if there are links that no earlier child has. To
/// be called before links are closed: then closing them here waits for nothing.
///
/// Where no child can be had, they close here, which takes longer.
pub fn in_background() {
    if OURS_ALONE.swap(0, Ordering::Relaxed) == 0 {
        return;
    }
    // SAFETY: the child makes system calls only and never returns; it takes no lock that another thread may hold.
    if unsafe { libc::fork() } == 0 {
        // SAFETY: as above.
        unsafe { exit_in_background() }
    }
}

/// The child: whoever reads what rsct writes must see its end, and Ctrl-C in a terminal is not for it.
///
/// # Safety
/// To be called right after fork() in the child: it ends the process.
unsafe fn exit_in_background() -> ! {
    // SAFETY: system calls with integers and static strings.
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
        libc::_exit(0)
    }
}
