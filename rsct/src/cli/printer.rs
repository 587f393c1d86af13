//! Prints entries for commands that continue when the reader of standard output has exited.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::Context as _;

use super::is_broken_pipe;
use crate::{
    kernel::netns::Netns,
    netlink::conntrack::Entry,
    render::entry::{self, About, Format, View},
};

/// Size of the buffer at which it is written.
const FLUSH_BYTES: usize = 128 * 1024;

/// Prints entries, or none with `--quiet`.
pub(super) struct Printer<'a> {
    view: Option<View<'a>>,
    /// Print the namespace of each entry.
    named: bool,
    now: Duration,
    /// The header has been printed.
    begun: bool,
    buffer: Vec<u8>,
    error: Option<io::Error>,
}

impl<'a> Printer<'a> {
    /// Creates a printer; without a view it prints nothing.
    pub(super) fn new(view: Option<View<'a>>, named: bool) -> Self {
        Self {
            view,
            named,
            now: entry::now(),
            begun: false,
            buffer: Vec::new(),
            error: None,
        }
    }

    /// Returns whether entries are printed, and no write has failed.
    pub(super) fn shows(&self) -> bool {
        self.view.is_some() && self.error.is_none()
    }

    /// Begins the entries of a namespace.
    pub(super) fn begin_netns(&mut self, netns: &Netns) {
        let Some(view) = self.view else { return };
        let mut before = Vec::new();
        view.begin_netns(&mut before, netns);
        // Most formats have nothing here; without any entry all but JSON print nothing at all.
        if !before.is_empty() {
            self.begin();
            self.buffer.extend_from_slice(&before);
        }
    }

    /// Appends an entry to a buffer of the caller, for [`formatted`](Self::formatted).
    pub(super) fn format(&self, out: &mut Vec<u8>, entry: &Entry<'_>, netns: &Netns) {
        if let Some(view) = self.view {
            let about = About {
                now: self.now,
                netns: self.named.then_some(netns),
                ..About::default()
            };
            view.entry(out, entry, &about);
        }
    }

    /// Prints entries that [`format`](Self::format) appended.
    pub(super) fn formatted(&mut self, formatted: &[u8]) {
        if !self.shows() {
            return;
        }
        self.begin();
        self.buffer.extend_from_slice(formatted);
        if self.buffer.len() >= FLUSH_BYTES {
            self.flush();
        }
    }

    /// Prints an entry.
    pub(super) fn entry(&mut self, entry: &Entry<'_>, netns: &Netns) {
        if !self.shows() {
            return;
        }
        self.begin();
        let mut buffer = std::mem::take(&mut self.buffer);
        self.format(&mut buffer, entry, netns);
        self.buffer = buffer;
        if self.buffer.len() >= FLUSH_BYTES {
            self.flush();
        }
    }

    fn begin(&mut self) {
        if let Some(view) = self.view
            && !self.begun
        {
            self.begun = true;
            view.begin(&mut self.buffer);
        }
    }

    /// Writes the rest of the buffer. A broken pipe is no error.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        // JSON has its first line without any entry as well.
        if self.view.is_some_and(|view| view.format == Format::Json) {
            self.begin();
        }
        if let Some(view) = self.view
            && self.begun
        {
            view.end(&mut self.buffer);
        }
        self.flush();
        match self.error {
            Some(error) if !is_broken_pipe(&error) => {
                Err(error).context("writing entries to standard output")
            }
            _ => Ok(()),
        }
    }

    fn flush(&mut self) {
        if self.error.is_none() && !self.buffer.is_empty() {
            let mut stdout = io::stdout().lock();
            self.error = stdout.write_all(&self.buffer).and_then(|()| stdout.flush()).err();
        }
        self.buffer.clear();
    }
}
