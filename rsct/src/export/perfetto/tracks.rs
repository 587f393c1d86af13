//! Tracks: for each namespace a group with its CPUs, counters and top flows. A track is written when its first event is.

use std::io::Write;

use rsct_common::Tuple;
use rustc_hash::FxHashMap;

use crate::{causes::tally::FlowName, kernel::interfaces::Names, render::words};

use super::{packets, writer::Writer};

/// A track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Track {
    /// The group of a namespace.
    Netns(u32),
    /// What happened on a CPU in a namespace, and the lane of overlapping slices.
    Cpu { netns: u32, cpu: u16, lane: usize },
    /// A counter of a namespace.
    Counter(u32, Counter),
    /// The group of a namespace's top flows.
    Flows(u32),
    /// A top flow.
    Flow(FlowName),
    /// Lost records, and other changes of the recording itself.
    Lost,
}

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Counter {
    Entries,
    Limit,
    Packets,
    OtherFlows,
    Created,
    Deleted,
    Invalid,
    Dropped,
}

impl Counter {
    /// The counters of events per second.
    pub(super) const RATES: [Self; 6] = [
        Self::Packets,
        Self::OtherFlows,
        Self::Created,
        Self::Deleted,
        Self::Invalid,
        Self::Dropped,
    ];

    /// The name of its track.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Limit => "limit of entries",
            Self::Packets => "packets/s",
            Self::OtherFlows => "packets/s of other flows",
            Self::Created => "created/s",
            Self::Deleted => "deleted/s",
            Self::Invalid => "INVALID/s",
            Self::Dropped => "dropped/s",
        }
    }
}

/// The order in a group: counters, CPUs, flows.
mod rank {
    pub(super) const CPU: u32 = 100;
    pub(super) const FLOWS: u32 = 1 << 24;
}

/// The numbers of the tracks that are written.
#[derive(Debug, Default)]
pub(super) struct Tracks(FxHashMap<Track, u64>);

impl Tracks {
    /// The number of a track, if it is written.
    fn known(&self, track: Track) -> Option<u64> {
        self.0.get(&track).copied()
    }

    fn add(&mut self, track: Track) -> u64 {
        // Perfetto's own tracks have the number 0.
        let uuid = self.0.len() as u64 + 1;
        self.0.insert(track, uuid);
        uuid
    }
}

impl<W: Write> Writer<W> {
    /// The number of a track. The first call writes it.
    pub(super) fn track(&mut self, track: Track) -> u64 {
        if let Some(uuid) = self.tracks.known(track) {
            return uuid;
        }
        let parent = parent(track).map(|parent| self.track(parent));
        let uuid = self.tracks.add(track);
        let descriptor = packets::Descriptor {
            uuid,
            parent,
            name: &name(track, &self.names),
            description: description(track),
            rank: rank(track),
            is_counter: matches!(track, Track::Counter(..)),
        };
        self.output.packet(|out| packets::descriptor(out, &descriptor));
        uuid
    }
}

fn parent(track: Track) -> Option<Track> {
    match track {
        Track::Netns(_) | Track::Lost => None,
        Track::Cpu { netns, .. } | Track::Counter(netns, _) | Track::Flows(netns) => {
            Some(Track::Netns(netns))
        }
        Track::Flow(flow) => Some(Track::Flows(flow.netns)),
    }
}

fn name(track: Track, names: &Names) -> String {
    match track {
        Track::Netns(netns) => format!("netns {}", names.netns(netns)),
        Track::Cpu { cpu, lane: 0, .. } => format!("CPU {cpu}"),
        Track::Cpu { cpu, lane, .. } => format!("CPU {cpu}, overlapping {lane}"),
        Track::Counter(_, counter) => counter.name().to_owned(),
        Track::Flows(_) => "top flows".to_owned(),
        Track::Flow(flow) => {
            let mut text = Vec::new();
            words::tuple(&mut text, &Tuple::from_words(flow.tuple));
            words::zone(&mut text, flow.zone);
            String::from_utf8_lossy(&text).into_owned()
        }
        Track::Lost => "lost records".to_owned(),
    }
}

fn description(track: Track) -> Option<String> {
    match track {
        Track::Netns(netns) => Some(format!("network namespace with the inode number {netns}")),
        _ => None,
    }
}

fn rank(track: Track) -> u32 {
    match track {
        Track::Counter(_, counter) => counter as u32,
        Track::Cpu { cpu, lane, .. } => rank::CPU + u32::from(cpu) * 16 + lane as u32,
        Track::Flows(_) => rank::FLOWS,
        Track::Netns(_) | Track::Flow(_) | Track::Lost => 0,
    }
}
