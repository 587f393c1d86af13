//! Every format of an entry, for all commands that print entries.

pub(super) mod about;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    conntrack_line::{self, Shape},
    event_line, json, namespace, save, wide, xml,
};
use crate::{
    kernel::netns::NetnsName,
    labels::LabelMap,
    netlink::conntrack::Entry,
    schema::{self, Command},
};
pub use about::About;

/// Output formats of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// conntrack's line.
    #[default]
    Text,
    /// Aligned columns and details.
    Wide,
    /// A JSON object a line.
    Json,
    /// conntrack's XML.
    Xml,
    /// conntrack's options that create the entry again.
    Save,
}

/// A format and its options.
#[derive(Clone, Copy, Debug, Default)]
pub struct View<'a> {
    /// The format.
    pub format: Format,
    /// `-o extended`; of text.
    pub extended: bool,
    /// `-o id`; of text, the other formats always have it.
    pub id: bool,
    /// `-o ktimestamp`; of text and XML.
    pub ktimestamp: bool,
    /// `-o timestamp`: the time of an event; of text, wide and XML.
    pub timestamp: bool,
    /// Names of labels. Text and XML print labels only with names; the other formats also print numbers.
    pub labels: Option<&'a LabelMap>,
    /// True if entries carry events: wide then has columns for them.
    pub events: bool,
    /// Print the network namespace of each entry; formats with lines use a column of this width.
    pub netns: Option<usize>,
    /// The command, for the first line of JSON output.
    pub command: Option<Command>,
}

/// The time since the epoch.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl View<'_> {
    /// Appends the text before the first entry.
    pub fn begin(&self, out: &mut Vec<u8>) {
        match self.format {
            Format::Wide => {
                let before = wide::Before {
                    netns: self.netns,
                    time: self.events && self.timestamp,
                    event: self.events,
                };
                wide::header(out, before);
            }
            Format::Xml => out.extend_from_slice(xml::HEADER),
            Format::Json => {
                if let Some(command) = self.command {
                    schema::begin(out, command);
                }
            }
            Format::Text | Format::Save => {}
        }
    }

    /// Appends the text before a namespace's first entry, if namespaces are printed.
    pub fn begin_netns(&self, out: &mut Vec<u8>, netns: &NetnsName) {
        // `rsct load` reads saved lines, so they cannot carry a namespace.
        if self.format == Format::Save && self.netns.is_some() {
            out.extend_from_slice(b"# network namespace ");
            out.extend_from_slice(netns.name.to_string().as_bytes());
            out.push(b'\n');
        }
    }

    /// Appends an entry.
    pub fn entry(&self, out: &mut Vec<u8>, entry: &Entry<'_>, about: &About<'_>) {
        let now_s = about.now.as_secs();
        match self.format {
            Format::Text => {
                self.column(out, about);
                if self.timestamp && about.event.is_some() {
                    event_line::timestamp(out, event_line::moment(entry, about.now));
                }
                let shape = Shape {
                    extended: self.extended,
                    id: self.id,
                    ktimestamp: self.ktimestamp,
                    labels: self.labels,
                    event: about.event,
                    as_it_is: false,
                };
                conntrack_line::line(out, entry, shape, now_s);
                if let Some(requester) = about.requester {
                    event_line::userspace(out, requester, false);
                }
            }
            Format::Wide => {
                self.column(out, about);
                if let Some(event) = about.event {
                    if self.timestamp {
                        wide::time(out, event_line::moment(entry, about.now));
                    }
                    wide::event(out, event);
                }
                wide::line(out, entry, self.labels, now_s, about.timeout_source);
                if let Some(requester) = about.requester {
                    event_line::userspace(out, requester, false);
                }
            }
            Format::Json => json::entry(out, entry, about, self.labels),
            Format::Xml => {
                let shape = xml::Shape {
                    ktimestamp: self.ktimestamp,
                    labels: self.labels,
                    event: about.event,
                    when_s: (self.timestamp && about.event.is_some()).then_some(now_s),
                    netns: about.netns.map(|netns| netns.name.as_str()),
                };
                xml::flow(out, entry, shape, about.now);
            }
            Format::Save => save::line(out, entry, about.event, self.labels),
        }
    }

    /// Appends the text after the last entry.
    pub fn end(&self, out: &mut Vec<u8>) {
        if self.format == Format::Xml {
            out.extend_from_slice(xml::FOOTER);
        }
    }

    fn column(&self, out: &mut Vec<u8>, about: &About<'_>) {
        if let Some(netns) = about.netns {
            namespace::column(out, netns, self.netns);
        }
    }
}
