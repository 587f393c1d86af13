//! The screen of `rsct top` and the page of `rsct report`, drawn from the kept recordings.

use ratatui::{Terminal, backend::TestBackend};

use super::{NAMES, is_kept, replay::open};
use crate::{
    kernel::interfaces::Names,
    observe::Selection,
    render::{
        report,
        top::{
            pane::Pane,
            screen::{View, draw},
        },
    },
    report::Gathered,
    snapshot::{Collector, Snapshot},
    source::recorded::{Start, Window},
};

pub(super) fn gathered(name: &str) -> (Gathered, Start) {
    let (mut files, start) = open(name);
    let selection = Selection::default();
    let mut gathered = Gathered::new(Collector::new(&start.setup, selection), start.names.clone());
    files.run(&mut gathered, Window::default()).unwrap();
    (gathered, start)
}

/// Passes on the view of a pane between two snapshots.
pub(super) fn viewed<T>(
    [earlier, now]: [&Snapshot; 2],
    names: &Names,
    pane: Pane,
    draw: impl FnOnce(&View<'_>) -> T,
) -> T {
    let column = pane.first_column();
    let mut table = pane.table(&now.since(earlier), names, column);
    table.sort(column, false);
    draw(&View {
        pane,
        table: &table,
        column,
        selected: 0,
        title: "rsct top",
        history: &[1, 3, 2],
        status: "",
        window: None,
        scrolled: 0,
        has_colors: false,
        ascii: false,
    })
}

/// A pane of a whole recording as a terminal of this size shows it.
pub(super) fn screen(gathered: &Gathered, pane: Pane, width: u16, height: u16) -> String {
    let now = gathered.snapshot();
    let start = Snapshot {
        time_ns: gathered.collector.started_ns(),
        ..Snapshot::default()
    };
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    viewed([&start, &now], &gathered.names, pane, |view| {
        terminal.draw(|frame| draw(frame, view)).unwrap();
    });
    let buffer = terminal.backend().buffer();
    let line = |row: u16| -> String {
        let cells = (0..width).map(|column| buffer[(column, row)].symbol());
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    (0..height).map(line).collect()
}

#[test]
fn panes_are_those_that_are_kept() {
    let mut screens = String::new();
    for (name, width, height) in [("full", 80, 24), ("invalid", 40, 12), ("zone", 120, 20)] {
        let (gathered, _) = gathered(name);
        for pane in Pane::ALL {
            screens += &format!(
                "--- {name}, {} at {width}x{height}\n{}",
                pane.name(),
                screen(&gathered, pane, width, height)
            );
        }
    }
    is_kept("screens", "txt", &screens);
}

#[test]
fn pages_need_nothing_else_and_have_every_chart() {
    for name in NAMES {
        let (gathered, start) = gathered(name);
        let document = report::document(&gathered, &start, "a.rsct");
        let html = report::html(&document);
        assert!(html.len() < 64 << 10, "{name}: {} bytes", html.len());
        assert!(html.contains("default-src 'none'"), "{name}");
        for foreign in ["<script", "http:", "https:", "url("] {
            assert!(!html.contains(foreign), "{name}: {foreign}");
        }
        assert_eq!(html.matches("<svg").count(), 8, "{name}");
        assert_eq!(html.matches("<desc>").count(), 8, "{name}");
        for element in [
            "section", "table", "tr", "td", "li", "dl", "figure", "svg", "p", "article",
        ] {
            let count = |tag: String| html.matches(&tag).count();
            let opened = count(format!("<{element}>")) + count(format!("<{element} "));
            assert_eq!(opened, count(format!("</{element}>")), "{name}: {element}");
        }
        let markdown = report::markdown(&document);
        let text = report::text(&document);
        for section in &document.sections {
            assert!(markdown.contains(&format!("## {}\n", section.heading)), "{name}");
            assert!(text.contains(&section.heading.to_uppercase()), "{name}");
        }
    }
}

#[test]
fn a_page_begins_with_the_worst() {
    let first = |name: &str| -> Vec<String> {
        let (gathered, _) = gathered(name);
        let findings = crate::report::findings(&gathered);
        findings.into_iter().map(|finding| finding.sentence).collect()
    };
    let findings: String = ["full", "invalid", "udp"]
        .iter()
        .map(|name| format!("{name}:\n{}\n", first(name).join("\n")))
        .collect();
    is_kept("findings", "txt", &findings);
}
