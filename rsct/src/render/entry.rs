//! Every format of an entry behind one call, for all commands that show entries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    conntrack_line::{self, Shape},
    event_line::{self, Event, Requester},
    json, namespace, save, wide, xml,
};
use crate::{
    kernel::netns::Netns,
    labels::LabelMap,
    netlink::conntrack::Entry,
    schema::{self, Command},
    timeouts::Source,
};

/// A form for entries.
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
    /// conntrack's options that make the entry again.
    Save,
}

/// How entries are shown: a form, and what belongs to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct View<'a> {
    /// The form.
    pub format: Format,
    /// `-o extended`; of text.
    pub extended: bool,
    /// `-o id`; of text, the others have it anyway.
    pub id: bool,
    /// `-o ktimestamp`; of text and XML.
    pub ktimestamp: bool,
    /// `-o timestamp`: say when an event happened; of text, wide and XML.
    pub timestamp: bool,
    /// Labels' names. Text and XML show labels only where there are names; the others show numbers too.
    pub labels: Option<&'a LabelMap>,
    /// Whether entries come with events: wide has columns for those then.
    pub events: bool,
    /// Say which namespace an entry is of, in a column of this width where the form has lines.
    pub netns: Option<usize>,
    /// The command, for the first line of JSON output.
    pub command: Option<Command>,
}

/// What is known about an entry beside itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The time since the epoch, see [`now`].
    pub now: Duration,
    /// The namespace it is of, where that is to be said.
    pub netns: Option<&'a Netns>,
    /// What happened to it.
    pub event: Option<Event>,
    /// The sender of the netlink request that caused that.
    pub requester: Option<Requester<'a>>,
    /// Where its timeout comes from; wide and JSON say it.
    pub timeout_source: Option<&'a Source<'a>>,
}

/// The time since the epoch.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl View<'_> {
    /// Appends what stands before the first entry.
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

    /// Appends what stands before a namespace's first entry, where namespaces are to be told apart.
    pub fn begin_netns(&self, out: &mut Vec<u8>, netns: &Netns) {
        // A saved line has no place for it, and is to stay one that can be loaded.
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

    /// Appends what stands behind the last entry.
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
