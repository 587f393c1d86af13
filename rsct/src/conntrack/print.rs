//! Output of entries in the chosen format.

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

/// Bytes to collect before a write.
const FLUSH_BYTES: usize = 64 * 1024;

/// Standard output, and the XML element open on it.
#[derive(Debug, Default)]
pub(super) struct OutputBuffer {
    pub(super) bytes: Vec<u8>,
    /// The closing tag of the open XML element.
    footer: Option<&'static [u8]>,
}

impl OutputBuffer {
    /// Opens the XML element unless it is open.
    pub(super) fn open_xml(&mut self, header: &[u8], footer: &'static [u8]) {
        if self.footer.is_none() {
            self.bytes.extend_from_slice(header);
            self.footer = Some(footer);
        }
    }

    /// Discards the collected bytes; nothing has been written yet.
    pub(super) fn forget(&mut self) {
        self.bytes.clear();
        self.footer = None;
    }

    /// Closes the open XML element.
    pub(super) fn close_xml(&mut self) {
        if let Some(footer) = self.footer.take() {
            self.bytes.extend_from_slice(footer);
        }
    }

    /// Writes the collected bytes if there are many.
    pub(super) fn flush_some(&mut self) -> Result<(), Problem> {
        if self.bytes.len() < FLUSH_BYTES {
            return Ok(());
        }
        self.flush()
    }

    /// Writes the collected bytes.
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

/// Format of an entry. Some commands of conntrack ignore some parts of `-o`.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryFormat<'a> {
    /// The bits of `-o`.
    pub(super) output: u32,
    /// The names of labels, printed if any option has read them.
    pub(super) labels: Option<&'a LabelMap>,
    /// The event, if any.
    pub(super) event: Option<Event>,
    /// The time of the event, for `-o timestamp`.
    pub(super) moment: Option<Duration>,
}

impl EntryFormat<'_> {
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
