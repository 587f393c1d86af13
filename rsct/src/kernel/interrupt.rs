//! SIGINT and SIGTERM, in an event loop and while programs are being attached.
//!
//! Attaching has no event loop. A signal that killed the process there would have the kernel close every link before the
//! process ends. So [`watch`] catches signals, and the attaching code checks [`is_over`] before each program.

use std::{
    io, mem, ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering},
    },
};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a command.
const SIGNALS: [i32; 2] = [libc::SIGINT, libc::SIGTERM];

/// The signal that [`watch`] caught, or zero.
static CAUGHT: AtomicI32 = AtomicI32::new(0);
/// The command ended while another thread was still attaching.
static ENDED: AtomicBool = AtomicBool::new(false);
/// Each signal's handler before [`watch`], as `sa_sigaction`: an event loop may have one.
static BEFORE: [AtomicUsize; 2] = [const { AtomicUsize::new(libc::SIG_DFL) }; 2];
/// How many watches there are.
static WATCHES: Mutex<usize> = Mutex::new(0);

/// Both signals, for an event loop.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Starts to listen: [`Signals::any`] also returns for a signal that arrived before it was called.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns when one of them has arrived.
    pub async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Catches signals until it is dropped.
pub struct Watch(());

/// Starts to catch signals. A signal that the process ignores stays ignored.
pub fn watch() -> Watch {
    let mut watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
    *watches += 1;
    if *watches == 1 {
        for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
            let old = action(signal, None);
            before.store(old.sa_sigaction, Ordering::Relaxed);
            if old.sa_sigaction != libc::SIG_IGN {
                let catching = libc::sigaction {
                    sa_sigaction: catch as *const () as usize,
                    sa_flags: libc::SA_SIGINFO | libc::SA_RESTART,
                    ..old
                };
                action(signal, Some(&catching));
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
                if now.sa_sigaction == catch as *const () as usize {
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

/// The signal that was caught, if any.
pub fn caught() -> Option<i32> {
    match CAUGHT.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(signal),
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

/// The handler. It is async-signal-safe, and so is the event loop's handler, which it calls.
extern "C" fn catch(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    CAUGHT.store(signal, Ordering::Relaxed);
    let place = SIGNALS.iter().position(|known| *known == signal);
    let before = place.map_or(libc::SIG_DFL, |place| BEFORE[place].load(Ordering::Relaxed));
    if before != libc::SIG_DFL && before != libc::SIG_IGN {
        // SAFETY: tokio installed this handler with SA_SIGINFO: it takes these three arguments.
        let before: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
            unsafe { mem::transmute(before) };
        before(signal, info, context);
    }
}

/// Sets a signal's action, if `new` is given, and returns the action before.
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
    fn a_signal_is_caught_and_passed_on() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut signals = Signals::listen().unwrap();
            assert_eq!((caught(), is_over()), (None, false));
            let watch = watch();
            // SAFETY: a plain call; the signal is caught.
            unsafe { libc::raise(libc::SIGTERM) };
            assert_eq!((caught(), is_over()), (Some(libc::SIGTERM), true));
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
