//! `rsct record` running during a scenario.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

use super::{Line, json, wait::DEADLINE};
use crate::{guest::ATTACH, native::namespace};

/// A running recorder, which ends when this is dropped.
pub struct Recorder {
    child: Child,
    messages: Receiver<String>,
    heard: Vec<String>,
}

impl Recorder {
    /// Starts a recorder, and returns when it records packets and causes. `netns` is the value of `--netns`.
    pub fn start(netns: &str, file: &Path, args: &[&str]) -> Result<Self> {
        let mut command = Command::new(namespace::rsct());
        command
            .args(["record", "--netns", netns, "-O"])
            .arg(file)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Ok(mode) = std::env::var(ATTACH) {
            command.args(["--attach", &mode]);
        }
        let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let stderr = child.stderr.take().context("the recorder's messages")?;
        let (send, messages) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut recorder = Self {
            child,
            messages,
            heard: Vec::new(),
        };
        recorder.wait_for("recording to")?;
        if !args.contains(&"--no-causes") {
            recorder.wait_for("causes are recorded")?;
        }
        Ok(recorder)
    }

    /// Waits for a message with these words.
    pub fn wait_for(&mut self, words: &str) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        loop {
            if self.heard.iter().any(|message| message.contains(words)) {
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            let message = self
                .messages
                .recv_timeout(left)
                .with_context(|| format!("the recorder never said {words:?}\n{}", self.heard.join("\n")))?;
            self.heard.push(message);
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) -> Result<()> {
        let pid = self.child.id().try_into().context("a process id")?;
        // SAFETY: a plain call; the child has not been waited for, so the id is its own.
        let sent = unsafe { libc::kill(pid, signal) };
        ensure!(sent == 0, "send signal {signal} to rsct");
        Ok(())
    }

    /// Waits until it ends. Returns its status and its messages.
    pub fn ended(mut self) -> Result<(ExitStatus, String)> {
        let end = Instant::now() + DEADLINE;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < end, "the recorder does not end");
            thread::sleep(std::time::Duration::from_millis(10));
        }
        let status = self.child.wait()?;
        let mut messages = std::mem::take(&mut self.heard);
        messages.extend(self.messages.iter());
        Ok((status, messages.join("\n")))
    }

    /// Ends it as a service manager would, and checks that it succeeded. Returns its messages.
    pub fn stop(self) -> Result<String> {
        self.signal(libc::SIGTERM)?;
        let (status, messages) = self.ended()?;
        ensure!(status.success(), "rsct record: {status}\n{messages}");
        Ok(messages)
    }
}

/// The lines of a recording's replay, and its messages.
pub fn replayed(files: &[&Path]) -> Result<(Vec<Line>, String)> {
    let mut command = Command::new(namespace::rsct());
    command.args(["trace", "-o", "json"]);
    for file in files {
        command.arg("--input").arg(file);
    }
    let ended = namespace::output(&mut command)?;
    let messages = String::from_utf8_lossy(&ended.stderr).into_owned();
    ensure!(ended.status.success(), "{}\n{messages}", ended.status);
    let lines = json::values(&String::from_utf8_lossy(&ended.stdout))?;
    Ok((lines.into_iter().map(Line).collect(), messages))
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
