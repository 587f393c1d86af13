//! Output of all streams of a watch: lines, losses, and the summary.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use super::WatchArgs;
use crate::{
    cli::{list::EntryFormat, namespaces::Namespaces, no_events},
    kernel::netns::Netns,
    labels::LabelMap,
    netlink::conntrack::{Counters, Entry},
    plural,
    render::{
        self,
        entry::{About, View},
        event_line::{Event, Requester},
    },
    schema::Command,
};

/// Size of the buffer at which it is written although more events wait.
const FLUSH_BYTES: usize = 128 * 1024;

/// Buffered lines and the counts for the summary.
pub(super) struct Shown {
    format: EntryFormat,
    timestamp: bool,
    labels: LabelMap,
    columns: Option<usize>,
    named: bool,
    remaining: u64,
    buffer: Vec<u8>,
    new: u64,
    updated: u64,
    destroyed: u64,
    /// Counters of destroyed entries, if accounting is on.
    traffic: Option<Counters>,
    lost: u64,
    overruns: u64,
}

impl Shown {
    pub(super) fn new(args: &WatchArgs, namespaces: &Namespaces) -> Self {
        Self {
            format: args.output.format,
            timestamp: args.timestamp,
            labels: LabelMap::load_default(),
            columns: namespaces.column(),
            named: namespaces.are_named(),
            remaining: args.count.count.unwrap_or(u64::MAX),
            buffer: Vec::with_capacity(FLUSH_BYTES + FLUSH_BYTES / 4),
            new: 0,
            updated: 0,
            destroyed: 0,
            traffic: None,
            lost: 0,
            overruns: 0,
        }
    }

    fn view(&self) -> View<'_> {
        View {
            events: true,
            timestamp: self.timestamp,
            ..self.format.view(Some(Command::Watch), &self.labels, self.columns)
        }
    }

    /// Reports that the watch has started: from now on no event is missed.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        self.view().begin(&mut out);
        out.append(&mut self.buffer);
        if self.format == EntryFormat::Json {
            render::watch_json::started(&mut out);
        }
        self.buffer = out;
        self.flush()
    }

    /// Reports if the kernel sends no events in a namespace.
    pub(super) fn joined(&mut self, netns: &Netns) {
        let json = self.format == EntryFormat::Json;
        no_events::report(&mut self.buffer, netns, self.named, json);
    }

    /// Prints an event. Returns whether more events are wanted.
    pub(super) fn event(
        &mut self,
        event: Event,
        entry: &Entry<'_>,
        requester: Option<Requester<'_>>,
        netns: &Netns,
        now: Duration,
    ) -> io::Result<bool> {
        match event {
            Event::New => self.new += 1,
            Event::Update => self.updated += 1,
            Event::Destroy => self.destroy(entry),
            Event::Sync => {}
        }
        let about = About {
            now,
            netns: self.named.then_some(netns),
            event: Some(event),
            requester,
            timeout_source: None,
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        self.view().entry(&mut buffer, entry, &about);
        self.buffer = buffer;
        if self.buffer.len() >= FLUSH_BYTES {
            self.flush()?;
        }
        if event != Event::Sync {
            self.remaining -= 1;
        }
        Ok(self.remaining > 0)
    }

    fn destroy(&mut self, entry: &Entry<'_>) {
        self.destroyed += 1;
        for counters in [entry.counters_orig, entry.counters_reply].into_iter().flatten() {
            let traffic = self.traffic.get_or_insert_default();
            traffic.packets += counters.packets;
            traffic.bytes += counters.bytes;
        }
    }

    /// Reports lost events of a namespace.
    pub(super) fn loss(&mut self, lost: u64, overruns: u64, netns: &Netns) -> io::Result<()> {
        self.lost += lost;
        self.overruns += overruns;
        if self.format == EntryFormat::Json {
            let netns = self.named.then_some(&**netns);
            render::watch_json::loss(&mut self.buffer, lost, overruns, netns);
        }
        message!(
            "{} lost: events arrived faster than they were read, and the receive buffer was full \
             (ENOBUFS); a larger --buffer-size helps with bursts, a filter or -e with a steady stream",
            plural::count(lost, "event was", "events were")
        );
        self.flush()
    }

    /// Reports that the table of a namespace has been printed.
    pub(super) fn synced(&mut self, entries: u64, netns: &Netns) -> io::Result<()> {
        if self.format == EntryFormat::Json {
            let netns = self.named.then_some(&**netns);
            render::watch_json::synced(&mut self.buffer, entries, netns);
        }
        self.flush()
    }

    /// Returns whether lines are buffered.
    pub(super) fn has_waiting(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Writes the buffered lines.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.buffer).and_then(|()| stdout.flush());
        self.buffer.clear();
        written
    }

    /// Writes the buffered lines and the summary.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.view().end(&mut buffer);
        if self.format == EntryFormat::Json {
            render::watch_json::summary(
                &mut buffer,
                &render::watch_json::Summary {
                    new: self.new,
                    updated: self.updated,
                    destroyed: self.destroyed,
                    traffic: self.traffic,
                    lost: self.lost,
                    overruns: self.overruns,
                },
            );
        }
        self.buffer = buffer;
        self.flush()?;
        message!(
            "{} been shown: {} new, {} updated, {} destroyed.",
            plural::count(
                self.new + self.updated + self.destroyed,
                "flow event has",
                "flow events have"
            ),
            self.new,
            self.updated,
            self.destroyed
        );
        if let Some(traffic) = self.traffic {
            message!(
                "the destroyed entries had {} and {}.",
                plural::count(traffic.packets, "packet", "packets"),
                plural::count(traffic.bytes, "byte", "bytes")
            );
        }
        message!("{} lost.", plural::count(self.lost, "event", "events"));
        Ok(())
    }
}
