//! The machine's settings that a large table needs, restored at the end.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result, bail};

const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
const BUCKETS: &str = "/proc/sys/net/netfilter/nf_conntrack_buckets";
/// The number of buckets for comparable figures.
pub const WANTED_BUCKETS: u64 = 262_144;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A limit and a hash size for the bench; the former values are restored on drop.
pub struct Settings {
    max: u64,
    buckets: u64,
    /// The hash size in effect.
    pub used_buckets: u64,
}

impl Settings {
    /// Raises the limit to `entries`. The limit and the hash table are those of the first namespace, for all others
    /// too.
    pub fn raise(entries: u64) -> Result<Self> {
        let (max, buckets) = (read(MAX)?, read(BUCKETS)?);
        // Ctrl-C restores the settings too: each step checks for it.
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let handler: extern "C" fn(libc::c_int) = interrupted;
            // SAFETY: the handler only stores to an atomic, which may be done at any time.
            unsafe { libc::signal(signal, handler as libc::sighandler_t) };
        }
        let mut settings = Self {
            max,
            buckets,
            used_buckets: buckets,
        };
        if max < entries {
            fs::write(MAX, entries.to_string()).with_context(|| format!("write {MAX}"))?;
        }
        // Not every machine allows its hash table to be resized; the output prints the size.
        if buckets != WANTED_BUCKETS && fs::write(BUCKETS, WANTED_BUCKETS.to_string()).is_ok() {
            settings.used_buckets = WANTED_BUCKETS;
        }
        Ok(settings)
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        for (path, value) in [(BUCKETS, self.buckets), (MAX, self.max)] {
            if read(path).ok() != Some(value) && fs::write(path, value.to_string()).is_err() {
                eprintln!("rsct-tests: {path} could not be set back to {value}");
            }
        }
    }
}

/// Runs this process and its children with precedence over all other tasks; returns whether that is permitted.
pub fn run_with_priority() -> bool {
    // `struct sched_param` of the kernel: the least priority there is. (musl's own call does nothing.)
    let least: libc::c_int = 1;
    // SAFETY: the parameters outlive the call; 0 is the calling thread, which is the only one yet.
    unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_RR, &raw const least) == 0 }
}

/// Fails after Ctrl-C.
pub fn fail_if_interrupted() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Load of the machine over the last minute, and its number of processors.
pub fn load() -> Result<(String, usize)> {
    let load = fs::read_to_string("/proc/loadavg").context("read /proc/loadavg")?;
    let last_minute = load.split(' ').next().unwrap_or_default().to_owned();
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok((last_minute, cpus))
}

extern "C" fn interrupted(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

fn read(path: &str) -> Result<u64> {
    let text = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
    text.trim()
        .parse()
        .with_context(|| format!("{path} holds {text:?}"))
}
