//! A program in a terminal of its own: keys in, screen out.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command, ExitStatus},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

use super::wait::DEADLINE;

/// The program, and everything that it wrote.
pub struct PseudoTerminal {
    child: Child,
    keys: File,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl PseudoTerminal {
    /// Starts it in a terminal of this size.
    pub fn start(command: &mut Command, columns: u16, rows: u16) -> Result<Self> {
        let size = libc::winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let (mut ours, mut theirs) = (0, 0);
        // SAFETY: the pointers are to live variables; name and attributes may be null.
        let opened = unsafe {
            libc::openpty(
                &raw mut ours,
                &raw mut theirs,
                std::ptr::null_mut(),
                std::ptr::null(),
                &raw const size,
            )
        };
        ensure!(
            opened == 0,
            "open a terminal: {}",
            std::io::Error::last_os_error()
        );
        // SAFETY: both descriptors are new, and have no other owner.
        let (ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
        command
            .env("TERM", "xterm-256color")
            .stdin(theirs.try_clone()?)
            .stdout(theirs.try_clone()?)
            .stderr(theirs);
        // SAFETY: between fork and exec only setsid and ioctl are called, which are async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let mut reader = File::from(ours.try_clone()?);
        let (send, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            keys: File::from(ours),
            output,
            seen: String::new(),
        })
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).context("press keys")
    }

    /// Waits until it has written this since the last wait.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        while !self.seen.contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            let bytes = self
                .output
                .recv_timeout(left)
                .with_context(|| format!("the screen never showed {text:?}\n{:?}", self.seen))?;
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        self.seen.clear();
        Ok(())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) -> Result<()> {
        let pid = self.child.id().try_into().context("a process id")?;
        // SAFETY: a plain call; the child has not been waited for, so the id is its own.
        ensure!(unsafe { libc::kill(pid, signal) } == 0, "send signal {signal}");
        Ok(())
    }

    /// Waits until it has ended.
    pub fn ended(mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}
