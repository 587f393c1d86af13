//! SIGINT and SIGTERM: awaited in an event loop, and noticed between two steps of work that has none.
//!
//! Attaching takes a moment for each program. [`watch`] keeps a signal from ending the process in the middle of it, where
//! the kernel would have to close every link before the process is gone; [`came`] says between two programs whether to
//! go on.

use std::{
    io, mem, ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI32, AtomicUsize, Ordering},
    },
};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a command.
const SIGNALS: [i32; 2] = [libc::SIGINT, libc::SIGTERM];

/// The signal that came, or zero.
static CAME: AtomicI32 = AtomicI32::new(0);
/// Whom each signal went to before [`watch`], as `sa_sigaction`: an event loop may be listening already.
static BEFORE: [AtomicUsize; 2] = [const { AtomicUsize::new(libc::SIG_DFL) }; 2];
/// How many watches there are.
static WATCHES: Mutex<usize> = Mutex::new(0);

/// Both signals, for an event loop.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on: a signal that comes before [`Signals::any`] is called is not lost.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns when one of them has come.
    pub async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Notes signals instead of dying of them, for as long as it is kept.
pub struct Watch(());

/// Begins to note signals. One that the process was started to ignore stays ignored.
pub fn watch() -> Watch {
    let mut watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
    *watches += 1;
    if *watches == 1 {
        for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
            let old = action(signal, None);
            before.store(old.sa_sigaction, Ordering::Relaxed);
            if old.sa_sigaction != libc::SIG_IGN {
                let noted = libc::sigaction {
                    sa_sigaction: note as *const () as usize,
                    sa_flags: libc::SA_SIGINFO | libc::SA_RESTART,
                    ..old
                };
                action(signal, Some(&noted));
            }
        }
    }
    Watch(())
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
        *watches -= 1;
        if *watches == 0 {
            for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
                let handler = before.load(Ordering::Relaxed);
                let now = action(signal, None);
                if now.sa_sigaction == note as *const () as usize {
                    action(
                        signal,
                        Some(&libc::sigaction {
                            sa_sigaction: handler,
                            ..now
                        }),
                    );
                }
            }
        }
    }
}

/// The signal that came while it was watched, or what [`stop`] was called for.
pub fn came() -> Option<i32> {
    match CAME.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(signal),
    }
}

/// Has work on other threads end as a signal would: the command is over.
pub fn stop() {
    // A signal that came first is what ended it.
    let _ = CAME.compare_exchange(0, libc::SIGTERM, Ordering::Relaxed, Ordering::Relaxed);
}

/// The handler: async-signal-safe, as is the event loop's that it hands the signal on to.
extern "C" fn note(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    CAME.store(signal, Ordering::Relaxed);
    let place = SIGNALS.iter().position(|known| *known == signal);
    let before = place.map_or(libc::SIG_DFL, |place| BEFORE[place].load(Ordering::Relaxed));
    if before != libc::SIG_DFL && before != libc::SIG_IGN {
        // SAFETY: a handler of this process, which tokio installed with SA_SIGINFO: it takes these three.
        let before: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
            unsafe { mem::transmute(before) };
        before(signal, info, context);
    }
}

/// What a signal does, after it was set to `new` if that is given.
fn action(signal: i32, new: Option<&libc::sigaction>) -> libc::sigaction {
    // SAFETY: the struct is plain integers and a set of bits.
    let mut old: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: both structs are alive for the call; the handler is async-signal-safe.
    unsafe { libc::sigaction(signal, new.map_or(ptr::null(), ptr::from_ref), &raw mut old) };
    old
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_noted_and_handed_on() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut signals = Signals::listen().unwrap();
            assert_eq!(came(), None);
            let watch = watch();
            // SAFETY: a plain call; the signal is caught.
            unsafe { libc::raise(libc::SIGTERM) };
            assert_eq!(came(), Some(libc::SIGTERM));
            drop(watch);
            signals.any().await;
            // SAFETY: as above; the event loop still listens.
            unsafe { libc::raise(libc::SIGINT) };
            signals.any().await;
            assert_eq!(came(), Some(libc::SIGTERM));
        });
    }
}
