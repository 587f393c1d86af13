//! Recordings of real traffic, replayed without a kernel: the output of each is kept next to it, in `tests/kept`.
//!
//! `RSCT_KEPT=write cargo test -p rsct --lib kept` writes today's output; `tests/kept/record.sh` makes the recordings.

mod answers;
mod damaged;
mod exported;
mod opened;
mod pages;
mod replay;
mod rewritten;
mod shown;
mod terminal;
mod version_1;
mod without_flows;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{observe::Summary, render::trace_json::TraceJson};

/// The recordings, each of one kind of traffic.
const NAMES: [&str; 10] = [
    "delete", "dnat", "full", "icmp", "invalid", "policy", "six", "tcp", "udp", "zone",
];

/// A file about a recording.
fn path(name: &str, extension: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/kept/{name}.{extension}"))
}

/// Compares with the kept output, or replaces it.
fn is_kept(name: &str, extension: &str, shown: &str) {
    let path = path(name, extension);
    if std::env::var("RSCT_KEPT").is_ok_and(|what| what == "write") {
        fs::write(&path, shown).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    for (line, (shown, kept)) in shown.lines().zip(kept.lines()).enumerate() {
        assert_eq!(shown, kept, "{} line {}", path.display(), line + 1);
    }
    assert_eq!(shown.lines().count(), kept.lines().count(), "{}", path.display());
}

#[test]
fn recordings_have_the_kept_text() {
    for name in NAMES {
        is_kept(name, "txt", &shown::text(name));
    }
}

#[test]
fn recordings_have_the_kept_json() {
    for name in NAMES {
        is_kept(name, "json", &shown::json(name));
    }
}

#[test]
fn flows_agree_with_the_last_dump_and_nothing_is_lost() {
    for name in NAMES {
        let trace = replay::trace(name, |look| TraceJson::new(look.ticks), true);
        let found = trace.model.table.reconciliation();
        assert!(
            found.differences.kept().is_empty(),
            "{name}: {:?}",
            found.differences
        );
        assert!(found.dumps >= 2, "{name}");
        assert_eq!(Summary::of(&trace.model).lost_total(), 0, "{name}");
    }
}
