//! Recordings made up for tests, and their replay.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use proptest::prelude::*;
use rsct_common::{
    Tuple,
    record::{
        CauseFamily, CauseRecord, EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord, PolicyEvent,
        PolicyRecord, kind,
    },
};
use zerocopy::FromZeros as _;

use super::{Files, Recorder, RecorderOptions, Window, table};
use crate::{
    filter::Filter,
    flow::{TupleKey, reconcile::DumpedEntry, tuples::inverse},
    kernel::{hz::Hz, interfaces::Names},
    names::{proto, status},
    observe::{Consumer as _, Counted, Covered, Ended, Input, Joined, Model, Notice, Selection, Setup},
    records::{HookCounts, Lost, Record},
    render::{
        printed::{Form, Printed},
        trace_json::TraceJson,
    },
};

pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const STARTED_NS: u64 = 100 * SECOND;
const HZ: u32 = 250;

/// A directory of its own, deleted at the end.
pub(super) struct Dir(PathBuf);

impl Dir {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rsct-made-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A thing that happens to a flow.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Packet,
    Invalid,
    Confirm,
    Delete,
    Destroy,
    Governs,
    Drop,
    Loss,
    Dump,
}

/// Events, each with its flow and the milliseconds since the one before.
pub(super) fn events() -> impl Strategy<Value = Vec<(Event, u16, u64)>> {
    let event = prop_oneof![
        8 => Just(Event::Packet),
        1 => Just(Event::Invalid),
        3 => Just(Event::Confirm),
        2 => Just(Event::Delete),
        2 => Just(Event::Destroy),
        1 => Just(Event::Governs),
        1 => Just(Event::Drop),
        1 => Just(Event::Loss),
        1 => Just(Event::Dump),
    ];
    prop::collection::vec((event, 0..4_u16, 0..120_u64), 1..120)
}

fn tuple(flow: u16) -> Tuple {
    Tuple {
        src: [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        dst: [10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        src_l4: (4000 + flow).to_be_bytes(),
        dst_l4: 53_u16.to_be_bytes(),
        l3num: 2_u16.to_ne_bytes(),
        protonum: proto::UDP,
        dir: 0,
    }
}

fn netns(flow: u16) -> u32 {
    7 + u32::from(flow % 2)
}

fn reply(flow: u16) -> [u64; 5] {
    Tuple {
        dir: 1,
        ..inverse(&tuple(flow))
    }
    .to_words()
}

fn jiffies(time_ns: u64) -> u32 {
    (time_ns / 1_000_000 * u64::from(HZ) / 1000) as u32
}

fn packet(flow: u16, birth_ns: u64, time_ns: u64, is_invalid: bool) -> PacketRecord {
    let record = PacketRecord {
        kind: kind::PACKET,
        verdict: 1,
        time_ns,
        duration_ns: 900,
        len_bytes: 60,
        netns: netns(flow),
        family: 2,
        tuple: tuple(flow).to_words(),
        now_jiffies: jiffies(time_ns),
        flags: PacketFlags::DURATION,
        ..PacketRecord::default()
    };
    if is_invalid {
        return record;
    }
    PacketRecord {
        ct: 0x1000 + u64::from(flow),
        birth_ns,
        flags: PacketFlags::DURATION | PacketFlags::BEFORE | PacketFlags::AFTER | PacketFlags::REFRESHED,
        status_before: status::CONFIRMED,
        status_after: status::CONFIRMED,
        timeout_before_jiffies: jiffies(time_ns) + 10 * HZ,
        timeout_after_jiffies: jiffies(time_ns) + 30 * HZ,
        refresh_jiffies: 30 * HZ,
        ..record
    }
}

fn entry(kind_of: EntryKind, flow: u16, birth_ns: u64, time_ns: u64) -> EntryRecord {
    let confirmed = match kind_of {
        EntryKind::Confirm => 0,
        _ => status::CONFIRMED,
    };
    EntryRecord {
        kind: kind::ENTRY,
        what: kind_of as u8,
        flags: EntryFlags::RETURNED | EntryFlags::DURATION,
        time_ns,
        ct: 0x1000 + u64::from(flow),
        birth_ns,
        ret: 1,
        netns: netns(flow),
        status_before: confirmed,
        status_after: status::CONFIRMED,
        timeout_before_jiffies: jiffies(time_ns) + 30 * HZ,
        timeout_after_jiffies: jiffies(time_ns) + 30 * HZ,
        now_jiffies: jiffies(time_ns),
        orig: tuple(flow).to_words(),
        reply: reply(flow),
        ..EntryRecord::default()
    }
}

fn cause(family: CauseFamily, flow: u16, time_ns: u64) -> CauseRecord {
    CauseRecord {
        kind: kind::CAUSE,
        family: family as u8,
        netns: netns(flow),
        time_ns,
        tuple: tuple(flow).to_words(),
        ..CauseRecord::new_zeroed()
    }
}

pub(super) fn setup() -> Setup {
    Setup {
        hz: Hz::new(HZ).unwrap(),
        started_ns: STARTED_NS,
        with_causes: true,
        only_netns: None,
        is_unfiltered: true,
    }
}

/// Feeds a recorder.
pub(super) struct Made {
    recorder: Recorder,
    now_ns: u64,
    births: [u64; 4],
    /// Flows that are deleted and not destroyed.
    are_deleted: [bool; 4],
    /// Flows of which a record or a dump exists.
    are_known: [bool; 4],
    losses: u64,
}

impl Made {
    pub(super) fn new(path: &Path, max_bytes: Option<u64>) -> Self {
        let options = RecorderOptions {
            path: path.to_owned(),
            max_bytes,
            keep: 999,
            command: Vec::new(),
        };
        let mut recorder = Recorder::create(options, &setup(), Names::default()).unwrap();
        let hooks = HookCounts::default();
        recorder.take(Input::Notice(&Notice::Causes { hooks }));
        recorder.take(Input::Notice(&Notice::Started {
            time_ns: STARTED_NS,
            hooks,
            flows_from_dump: 0,
        }));
        Self {
            recorder,
            now_ns: STARTED_NS,
            births: [STARTED_NS - 5; 4],
            are_deleted: [false; 4],
            are_known: [false; 4],
            losses: 0,
        }
    }

    pub(super) fn event(&mut self, event: Event, flow: u16, after_ms: u64) {
        self.now_ns += after_ms * 1_000_000;
        let time_ns = self.now_ns;
        // Packets in flight still have the deleted entry; all else is of the next one. If the deletion is the first record of
        // an entry, a packet in flight makes a flow of it, which a part that begins between them does not have.
        let index = usize::from(flow);
        match event {
            Event::Packet | Event::Invalid if !self.are_known[index] => self.follow(flow),
            Event::Confirm | Event::Governs => self.follow(flow),
            Event::Dump => (0..4).for_each(|flow| self.follow(flow)),
            _ => {}
        }
        match event {
            Event::Packet | Event::Invalid | Event::Confirm => self.are_known[index] = true,
            // The dump lacks this flow.
            Event::Dump => (0..4).for_each(|other| self.are_known[other] = other != index),
            _ => {}
        }
        let birth_ns = self.births[index];
        match event {
            Event::Packet => self.record(Record::Packet(&packet(flow, birth_ns, time_ns, false))),
            Event::Invalid => {
                let cause = cause(CauseFamily::Invalid, flow, time_ns + 1);
                self.record(Record::Cause(&cause));
                self.record(Record::Packet(&packet(flow, birth_ns, time_ns, true)));
            }
            Event::Confirm => self.entry(EntryKind::Confirm, flow, time_ns),
            Event::Delete => {
                self.entry(EntryKind::Delete, flow, time_ns);
                self.are_deleted[usize::from(flow)] = true;
            }
            Event::Destroy => {
                self.entry(EntryKind::Destroy, flow, time_ns);
                self.are_deleted[usize::from(flow)] = true;
                self.follow(flow);
            }
            Event::Governs => self.record(Record::Policy(&PolicyRecord {
                kind: kind::POLICY,
                what: PolicyEvent::Governs as u8,
                l3num: 2,
                netns: netns(flow),
                time_ns,
                ct: 0x1000 + u64::from(flow),
                birth_ns,
                policy: 0x9000,
                l4proto: proto::UDP,
                ..PolicyRecord::new_zeroed()
            })),
            Event::Drop => self.record(Record::Cause(&cause(CauseFamily::Drop, flow, time_ns))),
            Event::Loss => {
                self.losses += 2;
                self.recorder.take(Input::Notice(&Notice::Loss {
                    lost: 2,
                    total: self.losses,
                    losses: Lost::default(),
                    skipped: self.losses,
                }));
            }
            Event::Dump => self.dump(flow),
        }
        self.recorder.take(Input::Counted(&Counted {
            time_ns,
            ..Counted::default()
        }));
        self.recorder.take(Input::Settled { now_ns: self.now_ns });
    }

    /// The next entry has the tuple of a deleted one.
    fn follow(&mut self, flow: u16) {
        if std::mem::take(&mut self.are_deleted[usize::from(flow)]) {
            self.births[usize::from(flow)] = self.now_ns;
            self.are_known[usize::from(flow)] = false;
        }
    }

    fn entry(&mut self, kind_of: EntryKind, flow: u16, time_ns: u64) {
        let record = entry(kind_of, flow, self.births[usize::from(flow)], time_ns);
        self.record(Record::Entry(&record));
    }

    fn record(&mut self, record: Record<'_>) {
        self.recorder.take(Input::Record(record));
    }

    /// A dump of all entries but one, whose deletion was lost.
    pub(super) fn dump(&mut self, but: u16) {
        let now_ns = self.now_ns;
        self.births[usize::from(but)] = now_ns;
        self.recorder.take(Input::DumpBegins { now_ns });
        for flow in (0..4).filter(|flow| *flow != but) {
            let entry = DumpedEntry {
                key: TupleKey {
                    netns: netns(flow),
                    zone: 0,
                    orig: tuple(flow).to_words(),
                },
                reply: reply(flow),
                status: status::CONFIRMED,
                state: 0,
                mark: 0,
                timeout_seconds: Some(20),
            };
            self.recorder.take(Input::Dumped {
                entry: &entry,
                now_ns,
            });
        }
        let covered = Covered {
            is_all: true,
            opened: [7, 8].into(),
            whole: [7, 8].into(),
        };
        self.recorder.take(Input::DumpEnds {
            now_ns,
            covered: Some(&covered),
            lost: self.losses,
        });
    }

    pub(super) fn finish(mut self) {
        self.recorder.take(Input::Ended(&Ended {
            elapsed: Duration::from_nanos(self.now_ns - STARTED_NS),
            skips: crate::records::Skips {
                counted: self.losses,
                uncounted: false,
            },
            ..Ended::default()
        }));
        self.recorder.finish().unwrap();
    }
}

/// Records events.
pub(super) fn record(path: &Path, events: &[(Event, u16, u64)]) {
    let mut made = Made::new(path, None);
    for (event, flow, after_ms) in events {
        made.event(*event, *flow, *after_ms);
    }
    made.finish();
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A part of a recording.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) filter: Filter,
    pub(super) netns: Option<u32>,
    pub(super) window: Window,
}

/// The JSON lines of a replay, and its duration and losses.
pub(super) fn lines(paths: &[PathBuf], part: Part, sought: bool) -> (Vec<String>, Duration, u64) {
    let mut files = Files::open(paths).unwrap();
    if !sought {
        files.do_not_seek();
    }
    let start = files.start().unwrap().clone();
    let window = Window {
        from_ns: part.window.from_ns.max(start.from_ns),
        ..part.window
    };
    let selection = Selection::recorded(&part.filter, part.netns, window.from_ns);
    let mut setup = start.setup;
    setup.is_unfiltered &= selection.is_all();
    let output = Output::default();
    let mut joined = Joined {
        model: Model::new(&setup, selection),
        observer: Printed::new(TraceJson::new(setup.hz), Form::Json, output.clone()),
    };
    files.run(&mut joined, window).unwrap();
    assert!(joined.observer.finish().is_none());
    let ended = &joined.model.ended;
    let (elapsed, lost) = (ended.elapsed, ended.skips.counted);
    let text = output.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = String::from_utf8(text).unwrap();
    (text.lines().map(str::to_owned).collect(), elapsed, lost)
}

/// The same lines, with flows numbered in the order of the lines. The number of entries of the first dump
/// is omitted, and an entry is known from records, or from a dump only.
pub(super) fn renumbered(lines: Vec<String>) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    let lines = lines.into_iter().map(|line| {
        // The entries that a part begins with are those of a dump.
        let line = line.replace("\"known_from\":\"both\"", "\"known_from\":\"probe\"");
        if line.starts_with("{\"type\":\"started\"") {
            return "started".to_owned();
        }
        let Some((before, rest)) = line.split_once("\"flow\":") else {
            return line;
        };
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
        let (number, after) = rest.split_at(end);
        let known = numbers.iter().position(|known| known == number);
        let index = known.unwrap_or_else(|| {
            numbers.push(number.to_owned());
            numbers.len() - 1
        });
        format!("{before}\"flow\":#{index}{after}")
    });
    lines.collect()
}

/// The table at the end of a window, in any order.
pub(super) fn entries(path: &Path, part: Part) -> Vec<String> {
    let mut files = Files::open(&[path.to_owned()]).unwrap();
    // No dump contains the entries that are deleted and not destroyed yet.
    files.do_not_seek();
    let selection = Selection::recorded(&part.filter, part.netns, 0);
    let model = table::at(&mut files, selection, part.window.to_ns)
        .unwrap()
        .unwrap();
    let mut entries: Vec<String> = table::entries(&model)
        .into_iter()
        .map(|flow| {
            format!(
                "{:?} {:?} {:?}",
                flow.tuple_key(),
                flow.reply,
                flow.left_s(model.now_ns())
            )
        })
        .collect();
    entries.sort_unstable();
    entries
}
