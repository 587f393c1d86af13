//! The circumstances of a recording.

use super::document::{Block, shown};
use crate::{plural, records::HookCounts, render::date, report::Gathered, source::recorded::Start};

/// The time of day of the start.
pub(super) fn begun(start: &Start) -> String {
    let mut begun = Vec::new();
    let begun_ns = i128::from(start.setup.started_ns) + i128::from(start.realtime_offset_ns);
    let begun_s = u64::try_from(begun_ns / 1_000_000_000).unwrap_or(0);
    if let Some(date) = date::Date::local(begun_s) {
        date.iso(&mut begun);
    }
    String::from_utf8_lossy(&begun).into_owned()
}

/// The facts about a recording.
pub(super) fn recorded(gathered: &Gathered, start: &Start, files: &str) -> Block {
    Block::Facts(String::new(), facts(gathered, start, files))
}

/// Names and values.
pub(super) fn facts(gathered: &Gathered, start: &Start, files: &str) -> Vec<(String, String)> {
    let summary = gathered.summary();
    let scope = match start.setup.is_unfiltered {
        true => "every packet and entry",
        false => "the packets and entries that match the recorder's filter",
    };
    let facts = [
        ("files", files.to_owned()),
        ("host", start.host.clone()),
        ("kernel", format!("{} {}", start.kernel, start.machine)),
        ("rsct", start.rsct.clone()),
        ("command", start.command.join(" ")),
        ("began", begun(start)),
        ("scope", scope.to_owned()),
        (
            "hooks",
            gathered
                .hooks
                .trace
                .map_or_else(|| "unknown: not in this part".to_owned(), hooks),
        ),
        (
            "hooks of causes",
            match (gathered.hooks.causes, start.setup.with_causes) {
                (Some(counts), _) => hooks(counts),
                (None, true) => "unknown: not in this part".to_owned(),
                (None, false) => "none: causes were not recorded".to_owned(),
            },
        ),
        (
            "records lost",
            match (gathered.is_torn, gathered.is_part) {
                (true, _) => "unknown: the recording has no end".to_owned(),
                (_, true) => "unknown for a part of a recording".to_owned(),
                _ => plural::count(summary.lost_total() + summary.causes_lost, "record", "records"),
            },
        ),
        ("dumps", summary.dumps.to_string()),
    ];
    facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), shown(&value)))
        .collect()
}

/// Numbers of hooks by how they are attached.
fn hooks(counts: HookCounts) -> String {
    let named = [
        (counts.fentry, "by fentry"),
        (counts.kprobe, "by kprobe"),
        (counts.tracepoint, "by tracepoint"),
        (counts.not, "not attached"),
    ];
    let parts: Vec<String> = named
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("{count} {how}"))
        .collect();
    match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join(", "),
    }
}
