//! A shell in a real terminal, tmux: keys in, screen out.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};

use super::wait;
use crate::native::namespace::{Namespace, succeeds};

/// A session with one shell; ended when dropped.
pub struct Tmux {
    /// The name of its server's socket.
    socket: String,
}

impl Tmux {
    /// Starts one whose shell runs in the namespace.
    pub fn start(namespace: &Namespace, columns: u16, rows: u16) -> Result<Self> {
        let tmux = Self {
            socket: namespace.name.clone(),
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let line = [
            "-L",
            &tmux.socket,
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "sh",
            ";",
            // A key after Escape is no part of a sequence.
            "set-option",
            "-s",
            "escape-time",
            "0",
        ];
        let mut command = namespace.command("tmux", &line);
        succeeds(command.env("LC_ALL", "C.UTF-8").env("PS1", "$ "))?;
        Ok(tmux)
    }

    /// Types a command line.
    pub fn run(&self, line: &str) -> Result<()> {
        self.tmux(&["send-keys", "-l", line, ";", "send-keys", "Enter"])?;
        Ok(())
    }

    /// Presses a key, as tmux names it.
    pub fn press(&self, key: &str) -> Result<()> {
        self.tmux(&["send-keys", key])?;
        Ok(())
    }

    /// The screen, with lines that were too long joined.
    pub fn screen(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p", "-J"])
    }

    /// The screen, with the escape sequences of its colours.
    pub fn colored(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Changes the size of the terminal.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows])?;
        Ok(())
    }

    /// Waits until the screen has all of these.
    pub fn shows(&self, texts: &[&str]) -> Result<String> {
        self.shows_after(texts, || Ok(()))
    }

    /// Repeats `act` until the screen has all of these.
    pub fn shows_after(&self, texts: &[&str], mut act: impl FnMut() -> Result<()>) -> Result<String> {
        let mut screen = String::new();
        let shown = wait::until(&format!("the screen shows {texts:?}"), || {
            act()?;
            screen = self.screen()?;
            Ok(texts.iter().all(|text| screen.contains(text)))
        });
        shown.with_context(|| format!("the last screen:\n{screen}"))?;
        Ok(screen)
    }

    /// The process of this name that the shell runs: itself, or by a shell of its own.
    pub fn running(&self, name: &str) -> Result<i32> {
        let mut pid = self
            .tmux(&["display-message", "-p", "#{pane_pid}"])?
            .trim()
            .to_owned();
        loop {
            let comm =
                fs::read_to_string(format!("/proc/{pid}/comm")).context("read the name of a process")?;
            if comm.trim() == name {
                return Ok(pid.parse()?);
            }
            let path = format!("/proc/{pid}/task/{pid}/children");
            let children = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
            let child = children.split_whitespace().next();
            pid = child
                .with_context(|| format!("the shell does not run {name}"))?
                .to_owned();
        }
    }

    fn tmux(&self, args: &[&str]) -> Result<String> {
        succeeds(Command::new("tmux").args(["-L", &self.socket]).args(args))
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}
