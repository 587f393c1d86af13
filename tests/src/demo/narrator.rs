//! rsct during the demo: its output is passed on line by line, and scenes wait for lines of it.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    process::{Child, Command, ExitCode, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::lab::wait;

/// Wait for a command's first line before the scenes are played without it: not every command prints one.
const FIRST_LINE: Duration = Duration::from_secs(10);

/// A running rsct.
pub struct Narrator {
    child: Child,
    told: Arc<Told>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Told {
    so_far: Mutex<SceneLines>,
    more: Condvar,
}

#[derive(Default)]
struct SceneLines {
    /// Lines since the scene began.
    scene: Vec<String>,
    begun: bool,
    /// Set when it has to end: the closing lines are printed below the last line.
    closing: bool,
    closed: bool,
}

impl Narrator {
    /// Starts it, in the namespace of the calling thread.
    pub fn start(mut command: Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let told = Arc::new(Told::default());
        let readers = [
            child.stdout.take().map(|out| told.clone().pass_on(out)),
            child.stderr.take().map(|err| told.clone().pass_on_words(err)),
        ];
        Ok(Self {
            child,
            told,
            readers: readers.into_iter().flatten().collect(),
        })
    }

    /// Waits for the first line. Returns false if it ended without one.
    pub fn has_begun(&self) -> bool {
        let waiting = |so_far: &mut SceneLines| !so_far.begun && !so_far.closed;
        let (so_far, _) = self
            .told
            .more
            .wait_timeout_while(self.told.lock(), FIRST_LINE, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        !so_far.closed
    }

    /// Writes a heading between the lines.
    pub fn scene(&self, heading: &str) {
        let mut so_far = self.told.lock();
        so_far.scene.clear();
        println!("\n# {heading}");
    }

    /// Waits for a line of this scene in which all of `words` appear.
    pub fn hear(&self, words: &[&str]) -> Result<()> {
        let end = Instant::now() + wait::DEADLINE;
        let mut so_far = self.told.lock();
        loop {
            let says = |line: &String| words.iter().all(|word| line.contains(word));
            if so_far.scene.iter().any(says) {
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            if so_far.closed || left.is_zero() {
                bail!("rsct printed no line with: {}", words.join(", "));
            }
            (so_far, _) = self
                .told
                .more
                .wait_timeout(so_far, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends it as Ctrl-C would, and returns its exit status.
    pub fn stop(self) -> Result<ExitCode> {
        self.told.lock().closing = true;
        if let Ok(pid) = self.child.id().try_into() {
            // SAFETY: a plain call; the child has not been waited for, so the id is its own.
            unsafe { libc::kill(pid, libc::SIGINT) };
        }
        self.ended()
    }

    /// Waits until it ends, and returns its exit status.
    pub fn ended(mut self) -> Result<ExitCode> {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let status = self.child.wait().context("wait for rsct")?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(ExitCode::from(code.unwrap_or(1)))
    }
}

impl Drop for Narrator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, SceneLines> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(self: Arc<Self>, out: impl Read + Send + 'static) -> JoinHandle<()> {
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let mut so_far = self.lock();
                // A reader that closed the pipe does not end the traffic.
                let _ = writeln!(std::io::stdout(), "{line}");
                so_far.begun = true;
                so_far.scene.push(line);
                self.more.notify_all();
            }
            self.lock().closed = true;
            self.more.notify_all();
        })
    }

    fn pass_on_words(self: Arc<Self>, err: impl Read + Send + 'static) -> JoinHandle<()> {
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let too_early = |so_far: &mut SceneLines| so_far.closing && !so_far.closed;
                let _so_far = self.more.wait_while(self.lock(), too_early);
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        })
    }
}
