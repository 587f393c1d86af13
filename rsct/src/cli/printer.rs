//! Entries on standard output, for commands whose work goes on when nobody reads.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::Context as _;

use super::is_broken_pipe;
use crate::{
    kernel::netns::Netns,
    netlink::conntrack::Entry,
    render::entry::{self, About, View},
};

/// How much is collected before it is written.
const FLUSH_BYTES: usize = 128 * 1024;

/// Writes entries, or with `-q` none.
pub(super) struct Printer<'a> {
    view: Option<View<'a>>,
    /// Entries say which namespace they are of.
    named: bool,
    now: Duration,
    /// Something has been shown, and so what stands before it.
    begun: bool,
    buffer: Vec<u8>,
    error: Option<io::Error>,
}

impl<'a> Printer<'a> {
    /// Shows entries so; `None`: not at all.
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

    /// Whether entries are shown, and somebody may still read them.
    pub(super) fn shows(&self) -> bool {
        self.view.is_some() && self.error.is_none()
    }

    /// A namespace's entries begin.
    pub(super) fn begin_netns(&mut self, netns: &Netns) {
        let Some(view) = self.view else { return };
        let mut before = Vec::new();
        view.begin_netns(&mut before, netns);
        // Most forms have nothing there, and with no entry to come show nothing at all.
        if !before.is_empty() {
            self.begin();
            self.buffer.extend_from_slice(&before);
        }
    }

    /// Appends an entry to what is kept elsewhere until it is known whether it is to be shown.
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

    /// Shows what [`format`](Self::format) made.
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

    /// Shows an entry.
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

    /// Writes what is left. That nobody reads is no error.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
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
