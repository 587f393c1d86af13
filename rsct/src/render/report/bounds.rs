//! Unit tests: the size of a page is bounded for any recording, and names cannot change it.

use crate::{
    kernel::{hz::Hz, interfaces::Names},
    observe::{Consumer as _, Ended, Input, Setup},
    render::report::{Side, comparison, document, html, markdown, text},
    report::Gathered,
    snapshot::Collector,
    source::recorded::Start,
};

/// A page for an hour, and also for a week.
const MOST_BYTES: usize = 1 << 20;
const NAMESPACES: u32 = 300;
const HOSTILE: &str = "<script>\u{1b}[31m\n\"'&`|`\u{202e}";

fn setup() -> Setup {
    Setup {
        hz: Hz::new(250).unwrap(),
        started_ns: 0,
        with_causes: true,
        only_netns: None,
        is_unfiltered: true,
    }
}

fn start() -> Start {
    let names: Vec<(u32, String)> = (0..NAMESPACES)
        .map(|netns| (netns, format!("{netns}{}", HOSTILE.repeat(15))))
        .collect();
    let lists = serde_json::json!({"netns": names, "interfaces": []});
    Start {
        rsct: HOSTILE.to_owned(),
        host: HOSTILE.repeat(100),
        kernel: HOSTILE.to_owned(),
        machine: HOSTILE.to_owned(),
        boot_id: String::new(),
        command: vec![HOSTILE.to_owned(); 10_000],
        realtime_offset_ns: 0,
        setup: setup(),
        names: serde_json::from_value::<Names>(lists).unwrap(),
        from_ns: 0,
    }
}

/// A week of a crowd.
fn week() -> Side {
    let start = start();
    let collector = Collector::crowded(&start.setup, NAMESPACES);
    let mut gathered = Gathered::new(collector, start.names.clone());
    // The figures of each moment differ: nothing is drawn together.
    for second in (0..=7 * 24 * 3600).step_by(2520) {
        gathered.collector.vary(second);
        gathered.take(Input::Settled {
            now_ns: second * 1_000_000_000,
        });
    }
    gathered.take(Input::Ended(&Ended {
        dump_errors: vec![HOSTILE.repeat(100); 1000],
        ..Ended::default()
    }));
    Side {
        gathered,
        start,
        files: HOSTILE.repeat(1000),
    }
}

fn is_harmless(page: &str) {
    for c in ['\u{1b}', '\u{202e}'] {
        assert!(!page.contains(c), "{c:?}");
    }
}

#[test]
fn the_page_of_a_crowded_week_is_bounded() {
    let side = week();
    assert!(side.gathered.series.points.len() <= crate::report::MOST);
    let document = document(&side.gathered, &side.start, &side.files);
    let pages = [html(&document), markdown(&document), text(&document)];
    for page in &pages {
        assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
        is_harmless(page);
    }
    assert!(pages[0].len() > MOST_BYTES / 8, "{} bytes", pages[0].len());
    assert!(!pages[0].contains("<script"), "a name is HTML");
    assert!(pages[0].contains("the first 20 of at least"));
}

#[test]
fn the_comparison_of_crowded_weeks_is_bounded() {
    let page = html(&comparison(&week(), &week()));
    assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
    is_harmless(&page);
    assert!(!page.contains("<script"), "a name is HTML");
}

/// The page of a recording that ends at once.
fn empty(last: Input<'_>) -> String {
    let start = Start {
        names: Names::default(),
        host: "h".to_owned(),
        command: vec!["rsct".to_owned()],
        ..start()
    };
    let mut gathered = Gathered::new(Collector::new(&start.setup, Default::default()), Names::default());
    gathered.take(last);
    text(&document(&gathered, &start, "a.rsct"))
}

#[test]
fn a_recording_without_packets_says_so() {
    let page = empty(Input::Ended(&Ended::default()));
    assert!(
        page.contains("1. No packet traversed conntrack during the recording."),
        "{page}"
    );
    assert!(page.contains("Packets: nothing was seen."), "{page}");
    assert!(page.contains("No record was lost."), "{page}");
}

#[test]
fn a_torn_recording_names_the_missing_parts() {
    let page = empty(Input::Cut {
        elapsed: std::time::Duration::ZERO,
    });
    assert!(
        page.contains("1. The recording has no end: it breaks off 0.0 s after its start. All later records, the last dump"),
        "{page}"
    );
    assert!(
        page.contains("Unknown: the recorder's count of losses is missing."),
        "{page}"
    );
}

#[test]
fn a_part_of_a_recording_is_not_torn() {
    let start = start();
    let mut gathered = Gathered::new(Collector::new(&start.setup, Default::default()), Names::default());
    gathered.take(Input::Cut {
        elapsed: std::time::Duration::ZERO,
    });
    gathered.set_damage(Vec::new());
    let page = text(&document(&gathered, &start, "a.rsct"));
    assert!(!page.contains("breaks off"), "{page}");
    assert!(page.contains("unknown for a part of a recording"), "{page}");
    gathered.is_torn = true;
    gathered.set_damage(vec!["a.rsct: it breaks off".to_owned()]);
    let page = text(&document(&gathered, &start, "a.rsct"));
    assert!(page.contains("2. File a.rsct: it breaks off."), "{page}");
}

#[test]
fn addresses_are_those_of_the_crowd() {
    let side = week();
    let page = text(&document(&side.gathered, &side.start, &side.files));
    assert!(
        page.contains("ffff:ffff:ffff:ffff:ffff:ffff:ffff:"),
        "the tables are empty"
    );
}
