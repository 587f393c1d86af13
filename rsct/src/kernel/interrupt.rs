//! SIGINT, SIGTERM and SIGHUP, inside and outside an event loop.
//!
//! If a signal killed the process while it attaches programs, the kernel would close every link before the
//! process ends; while it writes a file or changes a table, half of the work would remain without a message.
//! So [`watch`] catches signals, and the working code checks [`caught`] or [`is_over`] between two steps.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

use tokio::io::{Interest, unix::AsyncFd};

/// The signals that end a command.
const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
/// The signals that end an event loop; SIGHUP kills the process.
const OF_LOOPS: [i32; 2] = [libc::SIGINT, libc::SIGTERM];

/// The signal caught during a watch, or zero.
static CAUGHT: AtomicI32 = AtomicI32::new(0);
/// True while a watch exists.
static WATCHED: AtomicBool = AtomicBool::new(false);
/// True if the command ended while another thread was still attaching.
static ENDED: AtomicBool = AtomicBool::new(false);
/// An eventfd, readable once a signal has arrived; never closed, because the handler may be about to write to
/// it.
static ARRIVED: AtomicI32 = AtomicI32::new(NONE);
const NONE: i32 = -1;
static CATCHING: Mutex<Catching> = Mutex::new(Catching {
    watches: 0,
    in_loops: false,
});

/// The users of the handler.
struct Catching {
    watches: usize,
    /// True once an event loop has listened: a signal after the loop's end must not kill the process.
    in_loops: bool,
}

/// A receiver of event loop signals.
pub(crate) struct Signals(AsyncFd<BorrowedFd<'static>>);

impl Signals {
    /// Starts to listen: [`Signals::any`] also returns for a signal that arrived before the call. Must be
    /// called inside an event loop; one loop has at most one receiver.
    pub(crate) fn listen() -> io::Result<Self> {
        // SAFETY: the descriptor stays open to the end of the process.
        let arrived = unsafe { AsyncFd::register_with_interest(arrived()?, Interest::READABLE) }?;
        let mut catching = CATCHING.lock().unwrap_or_else(PoisonError::into_inner);
        catching.in_loops = true;
        for signal in OF_LOOPS {
            set_action(signal, catch as *const () as usize);
        }
        Ok(Self(arrived))
    }

    /// Returns when one of the signals has arrived.
    pub(crate) async fn any(&mut self) {
        // Return on an error of the descriptor too: a loop that cannot be ended would be worse.
        let _ = self.0.async_io(Interest::READABLE, |fd| take(*fd)).await;
    }
}

/// Catches signals until dropped.
#[derive(Debug)]
pub(crate) struct Watch(());

/// Starts to catch signals. Ignored signals stay ignored.
pub(crate) fn watch() -> Watch {
    if arrived().is_err() {
        // Too few descriptors for the eventfd, so a signal could not wake a waiting thread: it kills the
        // process instead.
        return Watch::of([]);
    }
    Watch::of(
        SIGNALS
            .into_iter()
            .filter(|signal| action(*signal) != libc::SIG_IGN),
    )
}

/// Starts to catch only the signals of event loops, including those that the process ignores. A signal wakes
/// up [`wait_for`].
pub(crate) fn watch_as_a_loop() -> io::Result<Watch> {
    arrived()?;
    Ok(Watch::of(OF_LOOPS))
}

impl Watch {
    fn of(signals: impl IntoIterator<Item = i32>) -> Self {
        let mut catching = CATCHING.lock().unwrap_or_else(PoisonError::into_inner);
        catching.watches += 1;
        WATCHED.store(true, Ordering::Relaxed);
        for signal in signals {
            set_action(signal, catch as *const () as usize);
        }
        Self(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut catching = CATCHING.lock().unwrap_or_else(PoisonError::into_inner);
        catching.watches -= 1;
        if catching.watches > 0 {
            return;
        }
        WATCHED.store(false, Ordering::Relaxed);
        for signal in SIGNALS {
            let is_ours = action(signal) == catch as *const () as usize;
            if is_ours && !(catching.in_loops && OF_LOOPS.contains(&signal)) {
                set_action(signal, libc::SIG_DFL);
            }
        }
    }
}

/// The caught signal, if any.
pub(crate) fn caught() -> Option<i32> {
    match CAUGHT.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(signal),
    }
}

/// A signal's name.
pub(crate) fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGINT => "SIGINT",
        libc::SIGTERM => "SIGTERM",
        libc::SIGHUP => "SIGHUP",
        _ => "a signal",
    }
}

/// Makes threads that are still attaching stop: the command has ended.
pub(crate) fn end() {
    ENDED.store(true, Ordering::Relaxed);
}

/// Returns whether to stop attaching.
pub(crate) fn is_over() -> bool {
    caught().is_some() || ENDED.load(Ordering::Relaxed)
}

/// The event that ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The descriptor is ready.
    Ready,
    /// A signal was caught.
    Signal(i32),
}

/// Blocks the thread until the descriptor is ready for these poll(2) events or, during a watch, until a
/// signal is caught.
pub(crate) fn wait_for(fd: BorrowedFd<'_>, events: libc::c_short) -> io::Result<Woken> {
    let waiting = |fd, events| libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    loop {
        let watched = WATCHED.load(Ordering::Relaxed);
        if watched && let Some(signal) = caught() {
            return Ok(Woken::Signal(signal));
        }
        // poll(2) ignores a negative descriptor.
        let arrived = if watched {
            ARRIVED.load(Ordering::Relaxed)
        } else {
            NONE
        };
        let mut both = [waiting(fd.as_raw_fd(), events), waiting(arrived, libc::POLLIN)];
        // SAFETY: the array outlives the call, and the count is its own.
        if unsafe { libc::poll(both.as_mut_ptr(), both.len() as libc::nfds_t, -1) } < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        } else if both[0].revents != 0 {
            return Ok(Woken::Ready);
        }
    }
}

/// The descriptor that becomes readable when a signal arrives.
fn arrived() -> io::Result<BorrowedFd<'static>> {
    let _one_at_a_time = CATCHING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut fd = ARRIVED.load(Ordering::Relaxed);
    if fd == NONE {
        // SAFETY: eventfd has no pointer arguments.
        fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        ARRIVED.store(fd, Ordering::Relaxed);
    }
    // SAFETY: the descriptor is open, and stays open to the end of the process.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Resets the eventfd.
fn take(arrived: BorrowedFd<'_>) -> io::Result<()> {
    let mut count = 0u64;
    // SAFETY: the buffer has the given size and outlives the call.
    let got = unsafe { libc::read(arrived.as_raw_fd(), (&raw mut count).cast(), size_of_val(&count)) };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The signal handler. It is async-signal-safe.
extern "C" fn catch(signal: i32) {
    if WATCHED.load(Ordering::Relaxed) {
        CAUGHT.store(signal, Ordering::Relaxed);
    }
    let arrived = ARRIVED.load(Ordering::Relaxed);
    let one = 1u64;
    // SAFETY: write(2) is async-signal-safe, the number outlives it, and the thread's errno is restored.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(arrived, (&raw const one).cast(), size_of_val(&one));
        *libc::__errno_location() = errno;
    }
}

/// A signal's action: a handler's address, SIG_DFL or SIG_IGN.
fn action(signal: i32) -> usize {
    // SAFETY: the struct is plain integers and a set of bits.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the struct outlives the call, which changes nothing.
    unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
    action.sa_sigaction
}

/// Sets a signal's action to a handler that is async-signal-safe, or to SIG_DFL.
pub(super) fn set_action(signal: i32, action: usize) {
    // SAFETY: the struct is plain integers and a set of bits.
    let mut new: libc::sigaction = unsafe { mem::zeroed() };
    new.sa_sigaction = action;
    new.sa_flags = libc::SA_RESTART;
    // SAFETY: the struct outlives the call; the handler is async-signal-safe and has the signature of a
    // signal handler.
    unsafe { libc::sigaction(signal, &raw const new, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    /// Runs in a child process, because other tests run at the same time and must not receive these signals.
    #[test]
    fn a_signal_is_caught_in_a_process_of_its_own() {
        let name = "kernel::interrupt::tests::a_signal_is_caught_and_passed_on";
        let program = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new(program);
        let output = command.args(["--exact", name, "--ignored"]).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
    }

    #[test]
    #[ignore = "raises signals: the test above starts it in a process of its own"]
    fn a_signal_is_caught_and_passed_on() {
        let runtime = crate::waiting::event_loop().unwrap();
        let (unread, _open) = io::pipe().unwrap();
        runtime.block_on(async {
            let mut signals = Signals::listen().unwrap();
            assert_eq!((caught(), is_over()), (None, false));
            let watch = watch();
            // SAFETY: a plain call; the signal is caught.
            unsafe { libc::raise(libc::SIGTERM) };
            assert_eq!((caught(), is_over()), (Some(libc::SIGTERM), true));
            let woken = wait_for(unread.as_fd(), libc::POLLIN).unwrap();
            assert_eq!(woken, Woken::Signal(libc::SIGTERM));
            drop(watch);
            signals.any().await;
            // SAFETY: as above; the event loop still listens.
            unsafe { libc::raise(libc::SIGINT) };
            signals.any().await;
            // Without a watch, only the event loop receives it.
            assert_eq!(caught(), Some(libc::SIGTERM));
        });
    }
}
