//! Answers from inputs, and from a recording of the same inputs.

use std::{path::PathBuf, time::Duration};

use rsct_common::{
    Tuple,
    record::{
        CauseCount, CauseFamily, CauseFlags, CauseRecord, PacketFlags, PacketRecord, TEXT_BYTES, delete,
        kind, what,
    },
};
use serde_json::Value;
use zerocopy::FromZeros as _;

use super::{Topic, TopicInputs};
use crate::{
    causes::{KeyCount, ProgramsState, counters::KernelCounters},
    filter::{Details, Filter, StateSet},
    kernel::{hz::Hz, interfaces::Names, text::NamedPlace},
    observe::{Chosen, Consumer, Counted, Ended, Fact, Input, Notice, Setup, SymbolFacts},
    records::{HookCounts, Record},
    render::{color::Palette, why, why_json},
    schema::{Command, Validator},
    source::recorded::{Files, Recorder, RecorderOptions, Window},
};

const NETNS: u32 = 7;
const SECOND: u64 = 1_000_000_000;
/// In `nf_ct_delete`, and in its caller.
const STACK: [u64; 2] = [0x100, 0x200];
/// Numbers of ctnetlink's counters.
const INVALID: u16 = 4;
const EARLY_DROP: u16 = 11;

const ALL: Topic = Topic {
    name: "all",
    things: ["thing", "things"],
    families: &CauseFamily::ALL,
    shows: |_| true,
};
const INVALIDS: Topic = Topic {
    name: "invalid",
    things: ["packet is INVALID", "packets are INVALID"],
    families: &[CauseFamily::Invalid],
    shows: |_| true,
};

fn setup() -> Setup {
    Setup {
        hz: Hz::new(250).unwrap(),
        started_ns: 1,
        with_causes: true,
        only_netns: None,
        is_unfiltered: true,
    }
}

fn tuple(sport: u16) -> Tuple {
    Tuple {
        src: [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        dst: [10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        src_l4: sport.to_be_bytes(),
        dst_l4: 80_u16.to_be_bytes(),
        l3num: 2_u16.to_ne_bytes(),
        protonum: 6,
        dir: 0,
    }
}

/// A deletion.
fn deleted(time_ns: u64, netns: u32, sport: u16) -> CauseRecord {
    let mut record = CauseRecord {
        kind: kind::CAUSE,
        family: CauseFamily::Delete as u8,
        what: what::DELETE,
        flags: CauseFlags::ENTRY,
        time_ns,
        netns,
        more: delete::EXPIRED,
        tuple: tuple(sport).to_words(),
        ..CauseRecord::new_zeroed()
    };
    record.stack[..2].copy_from_slice(&STACK);
    record
}

/// An INVALID packet, and the reason that its tracker logged.
fn invalid(time_ns: u64, logged: Option<&str>) -> (PacketRecord, Option<CauseRecord>) {
    let packet = PacketRecord {
        kind: kind::PACKET,
        verdict: 1,
        hook: 0,
        cpu: 1,
        flags: PacketFlags::HEADER | PacketFlags::BEFORE | PacketFlags::DURATION,
        tcp_flags: 4,
        time_ns,
        duration_ns: 1000,
        netns: NETNS,
        ifindex: 2,
        tuple: tuple(4001).to_words(),
        ..PacketRecord::default()
    };
    let cause = logged.map(|logged| {
        let mut text = [0; TEXT_BYTES];
        text[..logged.len()].copy_from_slice(logged.as_bytes());
        CauseRecord {
            kind: kind::CAUSE,
            family: CauseFamily::Invalid as u8,
            what: what::INVALID_LOGGED,
            cpu: 1,
            more: 6,
            detail: 0x900,
            time_ns: time_ns + 10,
            tuple: packet.tuple,
            text,
            ..CauseRecord::new_zeroed()
        }
    });
    (packet, cause)
}

/// The inputs of a trace so far.
struct Trace<'a, C: Consumer> {
    consumer: &'a mut C,
    counts: Vec<KeyCount>,
    counters: [u64; 2],
}

impl<C: Consumer> Trace<'_, C> {
    fn delete(&mut self, record: &CauseRecord) {
        self.consumer.take(Input::Record(Record::Cause(record)));
        let known = self.counts.iter_mut().find(|known| known.key == record.key());
        match known {
            Some(known) => known.count.count += 1,
            None => self.counts.push(KeyCount {
                key: record.key(),
                count: CauseCount {
                    count: 1,
                    text: record.text,
                },
            }),
        }
    }

    fn packet(&mut self, (packet, cause): &(PacketRecord, Option<CauseRecord>)) {
        if let Some(cause) = cause {
            self.consumer.take(Input::Record(Record::Cause(cause)));
        }
        self.consumer.take(Input::Record(Record::Packet(packet)));
        self.counters[0] += 1;
    }

    fn read(&mut self, seconds: u64) {
        let time_ns = seconds * SECOND;
        self.consumer.take(Input::Settled { now_ns: time_ns });
        let [invalid, early_drop] = self.counters;
        let counters = KernelCounters {
            namespaces: vec![(NETNS, vec![(INVALID, invalid), (12, 0), (EARLY_DROP, early_drop)])],
            ..KernelCounters::default()
        };
        self.consumer.take(Input::Counted(&Counted {
            time_ns,
            counts: self.counts.clone(),
            counters: Some(counters),
            programs: Some(ProgramsState {
                leaves_packets: true,
                ..ProgramsState::default()
            }),
            ..Counted::default()
        }));
    }
}

/// Reports the names of the functions of deletions.
fn name_functions(consumer: &mut impl Consumer) {
    let place = |function: &str| {
        Some(NamedPlace {
            function: function.to_owned(),
            offset: 1,
            module: None,
        })
    };
    consumer.take(Input::Fact(&Fact::Symbols(SymbolFacts {
        places: vec![(STACK[0], place("nf_ct_delete")), (STACK[1], place("gc_worker"))],
        ..SymbolFacts::default()
    })));
}

/// Readings after 1, 2, 3 and 4 seconds. A deletion before the first; then 2 and 1 deletions, and 2 and 1 INVALID
/// packets, until the second and the third; nothing after.
fn trace(consumer: &mut impl Consumer) {
    name_functions(consumer);
    consumer.take(Input::Notice(&Notice::Causes {
        hooks: HookCounts::default(),
    }));
    let mut trace = Trace {
        consumer,
        counts: Vec::new(),
        counters: [100, 0],
    };
    trace.delete(&deleted(SECOND / 2, NETNS, 1));
    trace.read(1);
    trace.delete(&deleted(SECOND + 1, NETNS, 2));
    trace.delete(&deleted(SECOND + 2, NETNS + 1, 3));
    trace.packet(&invalid(SECOND + 3, Some("invalid tcp flag combination")));
    trace.packet(&invalid(SECOND + 2000, None));
    trace.read(2);
    trace.delete(&deleted(2 * SECOND + 1, NETNS, 4));
    trace.packet(&invalid(2 * SECOND + 2, None));
    trace.read(3);
    trace.read(4);
    trace.consumer.take(Input::Ended(&Ended {
        elapsed: Duration::from_secs(4),
        ..Ended::default()
    }));
}

fn object(inputs: &TopicInputs) -> Value {
    let answered = inputs.answered().unwrap();
    let mut out = Vec::new();
    why_json::answer(&mut out, &inputs.answer(&answered, 5));
    let object: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(Validator::of(Command::Why).validate(&object), Ok(()));
    object
}

fn text(inputs: &TopicInputs) -> String {
    let answered = inputs.answered().unwrap();
    let mut out = Vec::new();
    why::text(&mut out, &inputs.answer(&answered, 5), Palette::PLAIN);
    String::from_utf8(out).unwrap()
}

fn inputs(topic: Topic, chosen: Chosen, from_ns: u64) -> TopicInputs {
    let mut inputs = TopicInputs::recorded(topic, &setup(), chosen, from_ns);
    trace(&mut inputs);
    inputs
}

/// The name and the count of each cause.
fn causes(object: &Value) -> Vec<(&str, i64)> {
    let causes = object["causes"].as_array().unwrap().iter();
    let mut causes: Vec<_> = causes
        .map(|cause| (cause["cause"].as_str().unwrap(), cause["count"].as_i64().unwrap()))
        .collect();
    causes.sort_unstable();
    causes
}

#[test]
fn counts_and_packets_between_the_readings_make_the_answer() {
    let all = object(&inputs(ALL, Chosen::default(), 0));
    assert_eq!(
        causes(&all),
        [("expired", 3), ("tcp_flags", 1), ("tcp_not_new", 2)],
        "{all}"
    );
    assert_eq!(all["elapsed_ns"], 3 * SECOND);
    let invalid = object(&inputs(INVALIDS, Chosen::default(), 0));
    assert_eq!(causes(&invalid), [("tcp_flags", 1), ("tcp_not_new", 2)]);
    let held = &invalid["comparisons"][0];
    assert_eq!(
        (&held["counted"], &held["agree"]),
        (&3.into(), &true.into()),
        "{held}"
    );
    let example = &invalid["causes"][1]["example"];
    assert_eq!(
        (&example["netns"], &example["hook"], &example["tcp_flags"]),
        (&NETNS.into(), &"PRE_ROUTING".into(), &4.into())
    );
}

#[test]
fn text_has_the_kernels_text_and_the_comparison() {
    let text = text(&inputs(INVALIDS, Chosen::default(), 0));
    for part in [
        "3 packets are INVALID in 3.0 s (1.0/s)\n",
        "INVALID packets: 3 here, invalid +3, error +0 in the kernel: they agree\n",
        "kernel          1  invalid tcp flag combination\n",
        "flows           1  7 tcp 10.0.0.1:4001 > 10.0.0.2:80\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains("recorded"), "{text}");
}

#[test]
fn a_window_begins_and_ends_at_readings() {
    // The nearest reading is that after 2 seconds.
    for from_ns in [SECOND * 16 / 10, SECOND * 24 / 10] {
        let late = object(&inputs(ALL, Chosen::default(), from_ns));
        assert_eq!(causes(&late), [("expired", 1), ("tcp_not_new", 1)], "{late}");
        assert_eq!(late["elapsed_ns"], 2 * SECOND);
    }
    let early = object(&inputs(ALL, Chosen::default(), SECOND * 14 / 10));
    assert_eq!(early["elapsed_ns"], 3 * SECOND);
    assert!(inputs(ALL, Chosen::default(), 9 * SECOND).answered().is_err());
}

#[test]
fn a_namespace_selects_exact_counts_and_a_filter_counts_records() {
    let here = Chosen {
        netns: Some(NETNS),
        ..Chosen::default()
    };
    let here = object(&inputs(ALL, here, 0));
    assert_eq!(
        causes(&here),
        [("expired", 2), ("tcp_flags", 1), ("tcp_not_new", 2)],
        "{here}"
    );
    assert_eq!(here["filtered"], false);
    let filtered = Chosen {
        filter: Filter {
            sport: Some(4),
            ..Filter::default()
        },
        netns: None,
    };
    let filtered = object(&inputs(ALL, filtered, 0));
    assert_eq!(causes(&filtered), [("expired", 1)], "{filtered}");
    assert_eq!(
        (&filtered["filtered"], &filtered["comparisons"]),
        (&true.into(), &Value::Array(Vec::new()))
    );
}

#[test]
fn a_live_answer_counts_the_records_of_entries_that_meet_the_details() {
    let answer = |state: Option<&str>| {
        let filter = Filter {
            details: Details {
                state: state.and_then(StateSet::named),
                ..Details::default()
            },
            ..Filter::default()
        };
        let mut inputs = TopicInputs::live(ALL, Hz::new(250).unwrap(), &filter);
        name_functions(&mut inputs);
        let mut trace = Trace {
            consumer: &mut inputs,
            counts: Vec::new(),
            counters: [0, 0],
        };
        trace.delete(&deleted(SECOND / 2, NETNS, 9));
        trace.read(1);
        // ESTABLISHED, TIME_WAIT, and a packet without an entry.
        for (number, state, flags) in [
            (1, 3, CauseFlags::ENTRY),
            (2, 7, CauseFlags::ENTRY),
            (3, 3, CauseFlags::ENTRY),
            (4, 3, 0),
        ] {
            trace.delete(&CauseRecord {
                state,
                flags,
                ..deleted(SECOND + u64::from(number), NETNS, number)
            });
        }
        trace.read(2);
        object(&inputs)
    };
    for (state, count) in [(None, 4), (Some("ESTABLISHED"), 2), (Some("TIME_WAIT"), 1)] {
        let answer = answer(state);
        assert_eq!(causes(&answer), [("expired", count)], "{answer}");
        assert_eq!(answer["filtered"], state.is_some());
    }
    assert_eq!(causes(&answer(Some("SYN_SENT"))), []);
}

/// Records the trace, in files of this size.
fn recorded(name: &str, max_bytes: Option<u64>) -> Vec<PathBuf> {
    let dir = std::env::temp_dir().join(format!("rsct-topic-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("a.rsct");
    let options = RecorderOptions {
        path: path.clone(),
        max_bytes,
        keep: 9,
        command: Vec::new(),
    };
    let mut recorder = Recorder::create(options, &setup(), Names::default()).unwrap();
    trace(&mut recorder);
    recorder.finish().unwrap();
    let files = std::fs::read_dir(&dir).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

fn replayed(paths: &[PathBuf], topic: Topic, window: Window) -> TopicInputs {
    let mut inputs = TopicInputs::recorded(topic, &setup(), Chosen::default(), window.from_ns);
    Files::open(paths).unwrap().run(&mut inputs, window).unwrap();
    inputs
}

#[test]
fn a_recording_gives_the_same_answer() {
    let paths = recorded("one", None);
    for topic in [ALL, INVALIDS] {
        let read = replayed(&paths, topic, Window::default());
        let direct = inputs(topic, Chosen::default(), 0);
        assert_eq!(object(&read), object(&direct));
        assert_eq!(text(&read), text(&direct));
    }
    let window = Window {
        from_ns: 0,
        to_ns: 2 * SECOND + SECOND / 2,
    };
    let until = object(&replayed(&paths, ALL, window));
    assert_eq!(
        causes(&until),
        [("expired", 2), ("tcp_flags", 1), ("tcp_not_new", 1)],
        "{until}"
    );
    std::fs::remove_dir_all(paths[0].parent().unwrap()).unwrap();
}

#[test]
fn a_later_file_knows_the_earlier_counts() {
    // Each file is full at once.
    let paths = recorded("many", Some(1));
    assert!(paths.len() > 2, "{paths:?}");
    let all = object(&replayed(&paths, ALL, Window::default()));
    assert_eq!(all, object(&inputs(ALL, Chosen::default(), 0)));
    // Without the two oldest files the window begins at the reading after 2 seconds, not with all that was counted before.
    let mut later = paths.clone();
    later.sort_unstable();
    later.truncate(paths.len() - 2);
    let rest = object(&replayed(&later, ALL, Window::default()));
    assert_eq!(causes(&rest), [("expired", 1), ("tcp_not_new", 1)], "{rest}");
    std::fs::remove_dir_all(paths[0].parent().unwrap()).unwrap();
}
