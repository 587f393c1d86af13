//! Every format of an entry, compared with conntrack's output.

use std::{sync::LazyLock, time::Duration};

use proptest::prelude::*;

use super::{
    conntrack_line::{self, Shape},
    date::Date,
    entry::{About, Format, View},
    event_line::{Event, Requester},
    samples::{DUMPED, LABELS_FILE, NOW_S, TOLD},
    save, xml,
};
use crate::{
    labels::LabelMap,
    netlink::conntrack::{Entry, samples},
    outside,
    schema::{self, Command, Validator},
    timeouts::{Setter, TimeoutSource},
};

static WATCH: LazyLock<Validator> = LazyLock::new(|| Validator::of(Command::Watch));

fn names() -> LabelMap {
    LabelMap::parse(LABELS_FILE)
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

/// conntrack's output in universal time, converted to the local time of this machine.
fn in_local_time(expected: &str, seconds: &[u64], show: impl Fn(&mut Vec<u8>, Date)) -> String {
    let mut expected = expected.to_owned();
    for second in seconds {
        let (universal, local) = (Date::universal(*second).unwrap(), Date::local(*second).unwrap());
        expected = expected.replace(
            &written(|out| show(out, universal)),
            &written(|out| show(out, local)),
        );
    }
    expected
}

/// The seconds of an entry's creation and destruction.
fn seconds(entry: &Entry<'_>) -> Vec<u64> {
    let timestamps = entry.timestamps.unwrap_or_default();
    let both = [timestamps.start_ns, timestamps.stop_ns];
    both.iter().flatten().map(|ns| ns / 1_000_000_000).collect()
}

/// The `<type>`, `<code>` and `<id>` that conntrack omits, and SCTP's own name for its state.
fn less_its_faults(xml: &str) -> String {
    let icmp = "protoname=\"icmp\">";
    let parts = |kind| format!("{icmp}<type>{kind}</type><code>0</code><id>77</id>");
    let xml = xml.replacen(icmp, &parts(8), 1);
    let xml = match xml.rsplit_once(icmp) {
        Some((before, after)) => format!("{before}{}{after}", parts(0)),
        None => xml,
    };
    xml.replace("<state>CLOSE_WAIT</state>", "<state>SHUTDOWN_SENT</state>")
}

/// A saved line with the attributes that conntrack loses.
fn with_what_is_lost(save: &str, entry: &Entry<'_>) -> String {
    let mut save = save.to_owned();
    if let Some(mark) = entry.mark.filter(|mark| *mark != 0) {
        let status = save.split(' ').nth(4).unwrap();
        save = save.replacen(status, &format!("{status} -m {mark}"), 1);
    }
    let labels: Vec<u32> = entry.label_bits().collect();
    save += match labels[..] {
        [] => "",
        [3, 64, 77] => " --label-add \"from-the-office,night shift,77\"",
        [77] => " --label-add 77",
        _ => panic!("{labels:?}"),
    };
    save
}

#[test]
fn dumped_entries_look_as_conntrack_shows_them() {
    let names = names();
    for sample in DUMPED {
        let payload = sample.payload();
        let entry = Entry::parse(&payload).unwrap();
        let line = |shape| written(|out| conntrack_line::line(out, &entry, shape, NOW_S));
        let id = Shape {
            id: true,
            ..Shape::default()
        };
        assert_eq!(line(id).trim_end_matches('\n'), sample.id);
        let full = Shape {
            extended: true,
            ktimestamp: true,
            labels: Some(&names),
            ..id
        };
        let expected = in_local_time(sample.full, &seconds(&entry), |out, date| date.ctime(out));
        assert_eq!(line(full), expected + "\n");
        let shape = xml::Shape {
            ktimestamp: true,
            labels: Some(&names),
            ..xml::Shape::default()
        };
        let flow = written(|out| xml::flow(out, &entry, shape, Duration::from_secs(NOW_S)));
        assert_eq!(flow, less_its_faults(sample.xml) + "\n");
        let saved = written(|out| save::line(out, &entry, None, Some(&names)));
        assert_eq!(saved, with_what_is_lost(sample.save, &entry) + "\n");
    }
}

#[test]
fn events_look_as_conntrack_shows_them() {
    let names = names();
    for sample in TOLD {
        let payload = sample.payload();
        let entry = Entry::parse(&payload).unwrap();
        let about = About {
            now: Duration::from_secs(sample.now_s),
            event: Some(sample.event),
            requester: sample.portid.map(|portid| Requester {
                portid,
                progname: None,
            }),
            ..About::default()
        };
        let view = |format| View {
            format,
            id: true,
            ktimestamp: true,
            labels: Some(&names),
            ..View::default()
        };
        let shown = |view: View<'_>| written(|out| view.entry(out, &entry, &about));
        let expected = in_local_time(sample.text, &seconds(&entry), |out, date| date.ctime(out));
        assert_eq!(shown(view(Format::Text)), expected.clone() + "\n");
        let timed = shown(View {
            timestamp: true,
            ..view(Format::Text)
        });
        let (time, rest) = timed.split_once('\t').unwrap();
        assert_eq!(rest, expected + "\n");
        // The kernel's time, of a moment before conntrack looked at its clock.
        let event_s: f64 = time.trim_matches(['[', ']']).parse().unwrap();
        assert!((event_s - sample.now_s as f64).abs() < 2.0, "{time}");
        let expected = in_local_time(sample.xml, &[sample.now_s], xml::when);
        let flow = shown(View {
            timestamp: true,
            ..view(Format::Xml)
        });
        assert_eq!(flow, expected + "\n");
        let saved = with_what_is_lost(sample.save, &entry);
        assert_eq!(shown(view(Format::Save)), saved + "\n");
    }
}

#[test]
fn columns_of_events_align() {
    let payload = TOLD[3].payload();
    let entry = Entry::parse(&payload).unwrap();
    let view = View {
        format: Format::Wide,
        events: true,
        timestamp: true,
        ..View::default()
    };
    let about = About {
        now: Duration::from_secs(TOLD[3].now_s),
        event: Some(TOLD[3].event),
        ..About::default()
    };
    let table = written(|out| {
        view.begin(out);
        view.entry(out, &entry, &about);
        view.end(out);
    });
    let (titles, line) = table.split_once('\n').unwrap();
    for (title, value) in [
        ("TIME", "20"),
        ("EVENT", "[DESTROY]"),
        ("PROTO", "udp"),
        ("FLAGS", "DYING"),
        ("SOURCE", "[2001:db8::9]:3053"),
        ("DETAILS", "dnat=[2001:db8::77]:4000 mark=0x7"),
    ] {
        let at = titles.find(title).unwrap();
        let seen = line.get(at..).is_some_and(|rest| rest.starts_with(value));
        assert!(seen, "{title}:\n{table}");
    }
}

#[test]
fn json_has_the_names_of_labels_and_what_belongs_to_an_event() {
    let names = names();
    let payload = DUMPED[0].payload();
    let mut entry = Entry::parse(&payload).unwrap();
    entry.event_ns = Some(7);
    let about = About {
        event: Some(Event::New),
        requester: Some(Requester {
            portid: 9,
            progname: Some(b"conntrack"),
        }),
        ..About::default()
    };
    let view = View {
        format: Format::Json,
        labels: Some(&names),
        ..View::default()
    };
    let value: serde_json::Value =
        serde_json::from_str(&written(|out| view.entry(out, &entry, &about))).unwrap();
    let expected = [
        ("labels", serde_json::json!([3, 64, 77])),
        (
            "label_names",
            serde_json::json!(["from-the-office", "night shift"]),
        ),
        ("event", "new".into()),
        ("event_ns", 7.into()),
        (
            "requester",
            serde_json::json!({"portid": 9, "progname": "conntrack"}),
        ),
    ];
    for (member, expected) in expected {
        assert_eq!(value[member], expected, "{value}");
    }
}

#[test]
fn offload_shows_in_xml() {
    let payload = samples::TCP.payload();
    let mut entry = Entry::parse(&payload).unwrap();
    entry.status = Some(1 << 14 | 1 << 15 | 2);
    let flow = written(|out| xml::flow(out, &entry, xml::Shape::default(), Duration::ZERO));
    assert!(flow.contains("<offload/><hw_offload/><deltatime>"), "{flow}");
}

#[test]
fn an_entry_without_anything_has_no_independent_part() {
    let payload = samples::GRE.payload();
    // The message's header and its two tuples.
    let entry = Entry::parse(&payload[..4 + 0x34 + 0x34]).unwrap();
    let flow = written(|out| xml::flow(out, &entry, xml::Shape::default(), Duration::ZERO));
    assert!(flow.ends_with("</layer4></meta></flow>\n"), "{flow}");
}

#[test]
fn saved_changes_say_a_mark_of_zero_and_deletions_filter_by_labels() {
    let payload = DUMPED[1].payload();
    let entry = Entry::parse(&payload).unwrap();
    let saved = |event| written(|out| save::line(out, &entry, Some(event), None));
    assert!(saved(Event::New).starts_with("-A -t 28 -u UNSET -s "));
    assert!(saved(Event::Update).starts_with("-U -t 28 -u UNSET -m 0 -s "));
    assert!(saved(Event::Destroy).starts_with("-D -t 28 -u UNSET -s "));
    assert!(saved(Event::Update).ends_with(" --label-add 77\n"));
    assert!(saved(Event::Destroy).ends_with(" -l 77\n"));
}

#[test]
fn an_entry_that_was_expected_can_be_made_again() {
    let payload = samples::TCP.payload();
    let mut entry = Entry::parse(&payload).unwrap();
    entry.status = Some(0b111);
    let saved = |event| written(|out| save::line(out, &entry, event, None));
    assert!(saved(None).contains(" -u SEEN_REPLY,ASSURED "));
    assert!(saved(Some(Event::Update)).contains(" -u EXPECTED,SEEN_REPLY,ASSURED "));
}

/// Whether text is one element of XML with nothing around it: every element closed, nothing raw inside. Small, as
/// what the renderer writes is.
fn is_well_formed(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.trim_end_matches('\n');
    while let Some((before, tag_and_rest)) = rest.split_once('<') {
        if before.contains('>') || (open.is_empty() && !before.is_empty()) {
            return false;
        }
        let Some((tag, after)) = tag_and_rest.split_once('>') else {
            return false;
        };
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        rest = after;
    }
    let entities = text.split('&').skip(1).all(|part| {
        let number = part.strip_prefix('#').and_then(|part| part.split_once(';'));
        ["amp;", "lt;", "gt;", "quot;"]
            .iter()
            .any(|e| part.starts_with(e))
            || number.is_some_and(|(digits, _)| digits.parse::<u32>().is_ok())
    });
    let legal = |char: char| char == '\n' || char >= ' ' && char != '\u{fffe}' && char != '\u{ffff}';
    open.is_empty() && rest.is_empty() && entities && text.chars().all(legal)
}

proptest! {
    #[test]
    fn mutated_entries_have_every_form(
        which in 0..DUMPED.len() + TOLD.len() + samples::ALL.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        helper: Vec<u8>,
        status: Option<u32>,
        event in prop::option::of(prop::sample::select(vec![Event::New, Event::Update, Event::Destroy])),
        file: Vec<u8>,
    ) {
        let all = DUMPED.iter().map(|s| s.payload());
        let mut all = all.chain(TOLD.iter().map(|s| s.payload())).chain(samples::ALL.iter().map(|s| s.payload()));
        let mut bytes: Vec<u8> = all.nth(which).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let Ok(mut entry) = Entry::parse(&bytes) else { return Ok(()) };
        entry.helper = Some(crate::netlink::conntrack::Helper { name: &helper, info: None });
        entry.secctx = Some(&helper);
        entry.status = status.or(entry.status);
        let names = LabelMap::parse(&file);
        let policy = [String::from_utf8_lossy(&helper).into_owned()];
        let source = TimeoutSource {
            setter: Setter::Policy(&policy),
            governing: None,
            value_ms: None,
        };
        let about = About {
            event,
            requester: event.map(|_| Requester { portid: 7, progname: Some(&helper) }),
            timeout_source: status.map(|_| &source),
            ..About::default()
        };
        for format in [Format::Text, Format::Wide, Format::Json, Format::Xml, Format::Save] {
            let view = View {
                format,
                extended: true,
                id: true,
                ktimestamp: true,
                timestamp: true,
                events: true,
                labels: Some(&names),
                netns: None,
                command: None,
            };
            let mut out = Vec::new();
            view.entry(&mut out, &entry, &about);
            prop_assert_eq!(out.last(), Some(&b'\n'));
            match format {
                Format::Json => {
                    let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
                    let parsed: schema::entry::Entry = serde_json::from_slice(&out).unwrap();
                    prop_assert_eq!(&serde_json::to_value(&parsed).unwrap(), &line);
                    prop_assert_eq!(WATCH.validate(&line), Ok(()));
                }
                Format::Xml => {
                    let text = String::from_utf8(out).unwrap();
                    prop_assert!(is_well_formed(&text), "{}", text);
                }
                Format::Text | Format::Wide | Format::Save => {
                    let text = String::from_utf8(out).unwrap();
                    // A moment ends in a tab.
                    let harmful = |char: char| char != '\t' && outside::is_harmful(char);
                    prop_assert!(!text.trim_end_matches('\n').contains(harmful), "{:?}", text);
                }
            }
        }
    }
}
