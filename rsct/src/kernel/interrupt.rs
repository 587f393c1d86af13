//! SIGINT, SIGTERM and SIGHUP, in an event loop and outside.
//!
//! A signal that killed the process while programs are being attached would have the kernel close every link before the
//! process ends; while a file is written or a table changed, it would leave half of the work without a word. So
//! [`watch`] catches signals, and the code that works checks [`caught`] or [`is_over`] between two steps.

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
/// Those of them that end an event loop; SIGHUP kills the process.
const OF_LOOPS: [i32; 2] = [libc::SIGINT, libc::SIGTERM];

/// The signal that was caught while something watched, or zero.
static CAUGHT: AtomicI32 = AtomicI32::new(0);
/// Whether something watches.
static WATCHED: AtomicBool = AtomicBool::new(false);
/// The command ended while another thread was still attaching.
static ENDED: AtomicBool = AtomicBool::new(false);
/// Readable once a signal has arrived; never closed, as the handler may be about to write to it.
static ARRIVED: AtomicI32 = AtomicI32::new(NONE);
const NONE: i32 = -1;
static CATCHING: Mutex<Catching> = Mutex::new(Catching {
    watches: 0,
    in_loops: false,
});

/// Who needs the handler.
struct Catching {
    watches: usize,
    /// An event loop listens, or did: a signal that arrives after its end kills nothing.
    in_loops: bool,
}

/// Both signals of event loops.
pub struct Signals(AsyncFd<BorrowedFd<'static>>);

impl Signals {
    /// Starts to listen: [`Signals::any`] also returns for a signal that arrived before it was called. Must be called
    /// inside an event loop, which has one of these at a time.
    pub fn listen() -> io::Result<Self> {
        // SAFETY: the descriptor stays open to the end of the process.
        let arrived = unsafe { AsyncFd::register_with_interest(arrived()?, Interest::READABLE) }?;
        let mut catching = CATCHING.lock().unwrap_or_else(PoisonError::into_inner);
        catching.in_loops = true;
        for signal in OF_LOOPS {
            set_action(signal, catch as *const () as usize);
        }
        Ok(Self(arrived))
    }

    /// Returns when one of them has arrived.
    pub async fn any(&mut self) {
        // Whatever goes wrong with the descriptor, a loop that cannot be ended would be worse.
        let _ = self.0.async_io(Interest::READABLE, |fd| take(*fd)).await;
    }
}

/// Catches signals until it is dropped.
#[derive(Debug)]
pub struct Watch(());

/// Starts to catch signals. A signal that the process ignores stays ignored.
pub fn watch() -> Watch {
    if arrived().is_err() {
        // It would not wake up a thread that waits: there are too few descriptors. So it kills the process.
        return Watch::of([]);
    }
    Watch::of(
        SIGNALS
            .into_iter()
            .filter(|signal| action(*signal) != libc::SIG_IGN),
    )
}

/// Starts to catch the signals of event loops alone, those that the process ignores too. One wakes up [`wait_for`].
pub fn watch_as_a_loop() -> io::Result<Watch> {
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

/// The signal that was caught, if any.
pub fn caught() -> Option<i32> {
    match CAUGHT.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(signal),
    }
}

/// A signal's name.
pub fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGINT => "SIGINT",
        libc::SIGTERM => "SIGTERM",
        libc::SIGHUP => "SIGHUP",
        _ => "a signal",
    }
}

/// Stops threads that are still attaching: the command has ended.
pub fn end() {
    ENDED.store(true, Ordering::Relaxed);
}

/// Whether to stop attaching.
pub fn is_over() -> bool {
    caught().is_some() || ENDED.load(Ordering::Relaxed)
}

/// What a thread waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The descriptor is ready.
    Ready,
    /// A signal was caught.
    Signal(i32),
}

/// Blocks the thread until the descriptor is ready for these poll(2) events, or, where something watches already, until
/// a signal is caught.
pub fn wait_for(fd: BorrowedFd<'_>, events: libc::c_short) -> io::Result<Woken> {
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
        // poll(2) passes over a negative descriptor.
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

/// The descriptor that is readable once a signal has arrived.
fn arrived() -> io::Result<BorrowedFd<'static>> {
    let _one_at_a_time = CATCHING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut fd = ARRIVED.load(Ordering::Relaxed);
    if fd == NONE {
        // SAFETY: eventfd takes no pointers.
        fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        ARRIVED.store(fd, Ordering::Relaxed);
    }
    // SAFETY: the descriptor is open, and stays open to the end of the process.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Takes note of what has arrived.
fn take(arrived: BorrowedFd<'_>) -> io::Result<()> {
    let mut count = 0u64;
    // SAFETY: the number is as large as is said, and outlives the call.
    let got = unsafe { libc::read(arrived.as_raw_fd(), (&raw mut count).cast(), size_of_val(&count)) };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The handler. It is async-signal-safe.
extern "C" fn catch(signal: i32) {
    if WATCHED.load(Ordering::Relaxed) {
        CAUGHT.store(signal, Ordering::Relaxed);
    }
    let arrived = ARRIVED.load(Ordering::Relaxed);
    let one = 1u64;
    // SAFETY: write(2) is async-signal-safe, the number outlives it, and the thread's errno is as it was afterwards.
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

/// Sets a signal's action to [`catch`] or to SIG_DFL.
fn set_action(signal: i32, action: usize) {
    // SAFETY: the struct is plain integers and a set of bits.
    let mut new: libc::sigaction = unsafe { mem::zeroed() };
    new.sa_sigaction = action;
    new.sa_flags = libc::SA_RESTART;
    // SAFETY: the struct outlives the call; the handler is async-signal-safe and takes the signal's number.
    unsafe { libc::sigaction(signal, &raw const new, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    /// What other tests run at the same time must not see these signals.
    #[test]
    fn a_signal_is_caught_in_a_process_of_its_own() {
        let name = "kernel::interrupt::tests::a_signal_is_caught_and_passed_on";
        let program = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new(program);
        let output = command.args(["--exact", name, "--ignored"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
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
            // Without a watch, only the event loop gets it.
            assert_eq!(caught(), Some(libc::SIGTERM));
        });
    }
}
