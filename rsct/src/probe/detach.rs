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

/// How long the child waits for this process to exit before it closes its descriptors: a processor that both share belongs
/// to the one that a user waits for.
const HEAD_START_MS: i32 = 100;

/// Makes a child that has all the descriptors of this process and exits, if there are links that no earlier child has. To
/// be called before links are closed: then closing them here waits for nothing.
///
/// Where no child can be had, they close here, which takes longer.
pub fn in_background() {
    if OURS_ALONE.swap(0, Ordering::Relaxed) == 0 {
        return;
    }
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors. Without them the child does not wait.
    unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    let [end, others] = ends;
    // SAFETY: the child makes system calls only and never returns; it takes no lock that another thread may hold.
    if unsafe { libc::fork() } == 0 {
        // SAFETY: as above.
        unsafe { exit_in_background(end, others) }
    }
    // The other end closes with this process, which is what the child waits for.
    // SAFETY: nobody else has this one.
    unsafe { libc::close(end) };
}

/// The child: whoever reads what rsct writes must see its end, and Ctrl-C in a terminal is not for it.
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
