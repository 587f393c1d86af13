//! What all streams of a watch show together: lines, losses, and how many of what.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use super::WatchArgs;
use crate::{
    cli::{list::Output, namespaces::Namespaces, no_events},
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

/// How much is collected before it is written, where events come so fast that there is always another.
const FLUSH_BYTES: usize = 128 * 1024;

/// Lines on their way to stdout, and what was counted.
pub(super) struct Shown {
    output: Output,
    timestamp: bool,
    labels: LabelMap,
    columns: Option<usize>,
    named: bool,
    remaining: u64,
    buffer: Vec<u8>,
    new: u64,
    updated: u64,
    destroyed: u64,
    /// Of destroyed entries, where accounting is on.
    traffic: Option<Counters>,
    lost: u64,
    overruns: u64,
}

impl Shown {
    pub(super) fn new(args: &WatchArgs, namespaces: &Namespaces) -> Self {
        Self {
            output: args.output,
            timestamp: args.timestamp,
            labels: LabelMap::load_default(),
            columns: namespaces.column(),
            named: namespaces.are_named(),
            remaining: args.count.unwrap_or(u64::MAX),
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
            ..self.output.view(Some(Command::Watch), &self.labels, self.columns)
        }
    }

    /// Whoever started this may wait for it: nothing that happens from now on goes unseen.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        self.view().begin(&mut out);
        out.append(&mut self.buffer);
        if self.output == Output::Json {
            render::watch_json::started(&mut out);
        }
        self.buffer = out;
        self.flush()
    }

    /// Reports that the kernel sends no events in a namespace, if so.
    pub(super) fn joined(&mut self, netns: &Netns) {
        let json = self.output == Output::Json;
        no_events::report(&mut self.buffer, netns, self.named, json);
    }

    /// Shows what happened to an entry, and says whether more is wanted.
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

    /// Events were lost in a namespace.
    pub(super) fn loss(&mut self, lost: u64, overruns: u64, netns: &Netns) -> io::Result<()> {
        self.lost += lost;
        self.overruns += overruns;
        if self.output == Output::Json {
            let netns = self.named.then_some(netns);
            render::watch_json::loss(&mut self.buffer, lost, overruns, netns);
        }
        message!(
            "{} lost: events came faster than they were read, and the receive buffer was full \
             (ENOBUFS); a larger --buffer-size helps against bursts, a filter or -e against a steady stream",
            plural::count(lost, "event was", "events were")
        );
        self.flush()
    }

    /// The table of a namespace has been shown.
    pub(super) fn synced(&mut self, entries: u64, netns: &Netns) -> io::Result<()> {
        if self.output == Output::Json {
            let netns = self.named.then_some(netns);
            render::watch_json::synced(&mut self.buffer, entries, netns);
        }
        self.flush()
    }

    /// Whether lines wait to be written.
    pub(super) fn has_waiting(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Writes the lines that wait.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.buffer).and_then(|()| stdout.flush());
        self.buffer.clear();
        written
    }

    /// Writes what is left, and sums up.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.view().end(&mut buffer);
        if self.output == Output::Json {
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
                "the destroyed had {} and {}.",
                plural::count(traffic.packets, "packet", "packets"),
                plural::count(traffic.bytes, "byte", "bytes")
            );
        }
        message!("{} lost.", plural::count(self.lost, "event", "events"));
        Ok(())
    }
}
