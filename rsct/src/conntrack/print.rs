//! How entries look, in the form that was asked for.

use std::{
    io::{self, Write as _},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{problem::Problem, values::output};
use crate::{
    labels::LabelMap,
    netlink::conntrack::Entry,
    render::{
        conntrack_line,
        event_line::{self, Event},
        save, xml,
    },
};

/// How much is collected before it is written.
const FLUSH_BYTES: usize = 64 * 1024;

/// Standard output, and what is open on it.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    /// What ends the XML that was begun.
    footer: Option<&'static [u8]>,
}

impl Output {
    /// Begins XML, if it hasn't begun.
    pub(super) fn open_xml(&mut self, header: &[u8], footer: &'static [u8]) {
        if self.footer.is_none() {
            self.bytes.extend_from_slice(header);
            self.footer = Some(footer);
        }
    }

    /// Forgets what has been collected since nothing is written yet.
    pub(super) fn forget(&mut self) {
        self.bytes.clear();
        self.footer = None;
    }

    /// Ends XML that was begun.
    pub(super) fn close_xml(&mut self) {
        if let Some(footer) = self.footer.take() {
            self.bytes.extend_from_slice(footer);
        }
    }

    /// Writes what has been collected when it is much.
    pub(super) fn flush_some(&mut self) -> Result<(), Problem> {
        if self.bytes.len() < FLUSH_BYTES {
            return Ok(());
        }
        self.flush()
    }

    /// Writes what has been collected.
    pub(super) fn flush(&mut self) -> Result<(), Problem> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.bytes).and_then(|()| stdout.flush());
        self.bytes.clear();
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Problem::BrokenPipe,
            _ => Problem::other(format!("Can't write to standard output: {error}")),
        })
    }
}

/// Which parts of `-o` a command heeds; conntrack forgot some in some.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    /// The bits of `-o`.
    pub(super) output: u32,
    /// The names of labels, which are shown when any option has had them read.
    pub(super) labels: Option<&'a LabelMap>,
    /// What happened to the entry.
    pub(super) event: Option<Event>,
    /// When, for `-o timestamp`.
    pub(super) moment: Option<Duration>,
}

impl Look<'_> {
    /// Appends an entry, with a newline.
    pub(super) fn entry(&self, out: &mut Vec<u8>, entry: &Entry<'_>, now: Duration) {
        let has = |bit| self.output & bit != 0;
        if has(output::SAVE) {
            save::line(out, entry, self.event, self.labels);
            return;
        }
        if has(output::XML) {
            let shape = xml::Shape {
                ktimestamp: has(output::KTIMESTAMP),
                labels: self.labels,
                event: self.event,
                when_s: self.moment.map(|moment| moment.as_secs()),
                netns: None,
            };
            xml::flow(out, entry, shape, now);
            return;
        }
        if let Some(moment) = self.moment {
            event_line::timestamp(out, moment);
        }
        let shape = conntrack_line::Shape {
            extended: has(output::EXTENDED),
            id: has(output::ID),
            ktimestamp: has(output::KTIMESTAMP),
            labels: self.labels,
            event: self.event,
            as_it_is: true,
        };
        conntrack_line::line(out, entry, shape, now.as_secs());
    }
}

/// The time since the epoch.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
