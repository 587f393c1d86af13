//! The screen of `rsct top` through a terminal: the bytes of each refresh, and the screen that a terminal makes of them.

use std::{
    cell::RefCell,
    io::{self, Write},
    rc::Rc,
};

use ratatui::{Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect};
use rsct_common::{Tuple, TupleWords};

use super::pages::{gathered, screen, viewed};
use crate::{
    causes::tally::{FlowName, TaskName},
    kernel::interfaces::Names,
    render::top::{
        pane::Pane,
        screen::{View, draw},
        text,
    },
    snapshot::{Figures, Snapshot},
};

/// The most bytes of a refresh: a second of a slow line.
const MOST_BYTES: usize = 8 << 10;

/// A terminal, and the bytes that were sent to it.
struct Wired {
    terminal: Terminal<CrosstermBackend<Wire>>,
    wire: Wire,
    parser: vt100::Parser,
}

#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Vec<u8>>>);

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wired {
    fn new(width: u16, height: u16) -> Self {
        let wire = Wire::default();
        let options = TerminalOptions {
            viewport: Viewport::Fixed(Rect::new(0, 0, width, height)),
        };
        let backend = CrosstermBackend::new(wire.clone());
        Self {
            terminal: Terminal::with_options(backend, options).unwrap(),
            wire,
            parser: vt100::Parser::new(height, width, 0),
        }
    }

    /// Draws a view; returns the number of bytes.
    fn draw(&mut self, view: &View<'_>) -> usize {
        self.terminal.draw(|frame| draw(frame, view)).unwrap();
        let bytes = std::mem::take(&mut *self.wire.0.borrow_mut());
        self.parser.process(&bytes);
        bytes.len()
    }

    /// The terminal's lines.
    fn lines(&self) -> String {
        let screen = self.parser.screen();
        let lines = screen.rows(0, screen.size().1);
        lines.map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

#[test]
fn a_terminal_shows_each_pane_after_each_other() {
    for name in ["full", "invalid", "zone"] {
        let (gathered, _) = gathered(name);
        let (start, now) = (
            Snapshot {
                time_ns: gathered.collector.started_ns(),
                ..Snapshot::default()
            },
            gathered.snapshot(),
        );
        for (width, height) in [(80, 24), (40, 12), (200, 60)] {
            let mut wired = Wired::new(width, height);
            for pane in Pane::ALL.into_iter().chain([Pane::Overview]) {
                let bytes = viewed([&start, &now], &gathered.names, pane, |view| wired.draw(view));
                assert!(bytes <= MOST_BYTES, "{name} {pane:?}: {bytes} bytes");
                let expected = screen(&gathered, pane, width, height);
                assert_eq!(wired.lines(), expected, "{name} {pane:?} at {width}x{height}");
            }
        }
    }
}

/// One of many flows with long addresses.
fn flow(number: u16) -> FlowName {
    let byte = 0x11 + (number % 200) as u8;
    let mut src = [byte; 16];
    // In front, where each screen shows it.
    src[..2].copy_from_slice(&(0x2000 + number).to_be_bytes());
    let tuple = Tuple {
        src,
        src_l4: (40_000 + number).to_be_bytes(),
        l3num: 10u16.to_ne_bytes(),
        dst: [byte + 7; 16],
        dst_l4: 50_000u16.to_be_bytes(),
        protonum: 17,
        dir: 0,
    };
    FlowName {
        netns: 1,
        zone: 0,
        tuple: tuple.to_words(),
    }
}

/// Adds packets to 400 flows, the more the nearer they are to `leader`: with another leader each row changes.
fn busy(now: &mut Snapshot, leader: u16) {
    now.time_ns += 1_000_000_000;
    for number in 0..400u16 {
        let packets = u64::from(2000 + leader - number.abs_diff(leader));
        let figures = Figures {
            packets,
            bytes: packets * 777,
            created: packets % 10,
            cost_ns: packets * 1234,
        };
        now.culprits.flows.add(flow(number), &figures);
    }
}

#[test]
fn a_refresh_in_which_each_row_changes_needs_few_bytes() {
    for (width, height) in [(80, 24), (200, 60)] {
        let mut wired = Wired::new(width, height);
        let mut snapshots = vec![Snapshot::default()];
        for leader in [10, 200, 350] {
            let mut next = snapshots.last().unwrap().clone();
            busy(&mut next, leader);
            snapshots.push(next);
        }
        for pair in snapshots.windows(2) {
            let names = Names::default();
            let bytes = viewed([&pair[0], &pair[1]], &names, Pane::Flows, |view| wired.draw(view));
            assert!(bytes > 1000, "{bytes} bytes: the rows do not change");
            assert!(bytes <= MOST_BYTES, "{bytes} bytes at {width}x{height}");
        }
    }
}

#[test]
fn without_packets_each_pane_has_a_sentence_or_zeros() {
    let nothing = Snapshot::default();
    for (width, height) in [(80, 24), (40, 12)] {
        let mut wired = Wired::new(width, height);
        for pane in Pane::ALL {
            viewed([&nothing, &nothing], &Names::default(), pane, |view| {
                wired.draw(view)
            });
            let lines = wired.lines();
            let body: Vec<&str> = lines.lines().skip(2).collect();
            assert!(
                !body[0].is_empty() && lines.contains("q quit"),
                "{pane:?}:\n{lines}"
            );
        }
    }
}

#[test]
fn control_characters_in_names_reach_no_terminal() {
    let mut now = Snapshot {
        time_ns: 1_000_000_000,
        ..Snapshot::default()
    };
    let mut comm = [0; 16];
    comm[..9].copy_from_slice(b"a\x1b[2J\x07\r\nb");
    let figures = Figures {
        packets: 1,
        ..Figures::default()
    };
    now.culprits.tasks.add(TaskName { pid: 7, comm }, &figures);
    now.culprits.flows.add(
        FlowName {
            netns: 1,
            zone: 0,
            tuple: TupleWords::default(),
        },
        &figures,
    );
    let start = Snapshot::default();
    let mut wired = Wired::new(80, 24);
    viewed([&start, &now], &Names::default(), Pane::Tasks, |view| {
        wired.draw(view)
    });
    let lines = wired.lines();
    // This terminal leaves out the character that stands for the others.
    assert!(lines.contains("7 a[2Jb"), "{lines}");
    assert!(lines.starts_with("rsct top"), "the screen was erased:\n{lines}");
    let mut out = Vec::new();
    text::write(&mut out, &now.since(&start), &Names::default());
    assert!(
        !out.contains(&0x1b) && !out.contains(&7),
        "{}",
        String::from_utf8_lossy(&out)
    );
}

#[test]
fn each_of_three_hundred_namespaces_can_be_selected() {
    const FIRST: u32 = 4_026_532_000;
    let mut now = Snapshot {
        time_ns: 1_000_000_000,
        ..Snapshot::default()
    };
    for number in 0..300 {
        let figures = Figures {
            packets: 1000 - u64::from(number),
            ..Figures::default()
        };
        now.culprits.namespaces.add(FIRST + number, &figures);
    }
    let start = Snapshot::default();
    let names = Names::default();
    for (width, height) in [(80, 24), (40, 12)] {
        let mut wired = Wired::new(width, height);
        for selected in 0..300 {
            let bytes = viewed([&start, &now], &names, Pane::Namespaces, |view| {
                assert_eq!(view.table.rows.len(), 300);
                wired.draw(&View { selected, ..*view })
            });
            assert!(bytes <= MOST_BYTES, "{bytes} bytes at {width}x{height}");
            let lines = wired.lines();
            let row = format!("{}", FIRST + selected as u32);
            let line = lines.lines().find(|line| line.contains(&row));
            let packets = (1000 - selected).to_string();
            assert!(
                line.is_some_and(|line| line.contains(&packets)),
                "{row}:\n{lines}"
            );
            assert!(
                lines.contains("7 namespaces") && lines.contains("q quit"),
                "{lines}"
            );
        }
    }
}
