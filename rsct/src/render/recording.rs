//! Contents of recordings, as text and as JSON.

use std::{borrow::Cow, io::Write as _};

use rsct_common::record::kind;
use serde_json::Value;

use super::bytes;
use crate::{
    outside::shown,
    plural::count,
    recording::{Contents, Status},
    schema::{recording::Recording, tag},
};

/// Appends the contents as a table.
pub fn text(out: &mut Vec<u8>, file: &str, contents: &Contents) {
    let recording = recording(file, contents);
    let records = contents.records();
    let mut machine = Vec::new();
    machine.extend(recording.host.as_deref());
    let kernel = recording
        .kernel_release
        .as_ref()
        .map(|release| format!("Linux {release}"));
    machine.extend(kernel.as_deref());
    let version = recording
        .rsct_version
        .as_ref()
        .map(|version| format!("rsct {version}"));
    machine.extend(version.as_deref());
    let unknown = || "unknown".to_owned();
    let mut size = format!(
        "{} in {}",
        count(recording.file_bytes, "byte", "bytes"),
        count(recording.frames, "frame", "frames")
    );
    if recording.parts > 1 {
        size.push_str(&format!(" of {} concatenated recordings", recording.parts));
    }
    let lines = [
        ("file", recording.file),
        (
            "needs",
            recording
                .needs_version
                .map_or_else(unknown, |needs| format!("rsct {needs} or later")),
        ),
        (
            "machine",
            if machine.is_empty() {
                unknown()
            } else {
                machine.join(", ")
            },
        ),
        ("duration", format!("{:.3} s", recording.duration_ns as f64 / 1e9)),
        ("size", size),
        ("records", listed(records, &recording.records.0)),
        ("notes", listed(contents.notes.values().sum(), &recording.notes.0)),
        ("lost", count(recording.lost, "record", "records")),
        (
            "each record",
            recording
                .record_bytes
                .map_or_else(unknown, |size| format!("{size:.1} bytes")),
        ),
        ("condition", condition(&contents.status)),
    ];
    for (name, value) in lines {
        // Writing to a Vec can't fail, here and below.
        let _ = writeln!(out, "{name:<12} {}", shown(value.as_bytes()));
    }
}

/// Appends the condition on one line.
pub fn condition_line(out: &mut Vec<u8>, file: &str, contents: &Contents) {
    let _ = writeln!(
        out,
        "{}: {}; {} in {}",
        shown(file.as_bytes()),
        condition(&contents.status),
        count(contents.records(), "record", "records"),
        count(contents.frames, "frame", "frames"),
    );
}

/// Appends the contents as a JSON object.
pub fn json(out: &mut Vec<u8>, file: &str, contents: &Contents) {
    bytes::json_line(out, &recording(file, contents));
}

fn recording(file: &str, contents: &Contents) -> Recording {
    let of_start = |key| {
        let text = contents.start.as_ref()?.get(key).and_then(Value::as_str)?;
        Some(shown(text.as_bytes()))
    };
    let (first, last) = contents.span_ns.unwrap_or_default();
    Recording {
        r#type: tag::Recording,
        file: shown(file.as_bytes()),
        condition: match contents.status {
            Status::Whole => "whole",
            Status::Torn { .. } => "torn",
            Status::Damaged { .. } => "damaged",
        },
        reason: match contents.status {
            Status::Whole => None,
            status => Some(status.to_string()),
        },
        needs_version: contents.needs.clone(),
        rsct_version: of_start("version"),
        host: of_start("host"),
        kernel_release: of_start("kernel"),
        parts: contents.parts,
        duration_ns: last.saturating_sub(first),
        file_bytes: contents.bytes,
        frames: contents.frames,
        lost: contents.lost,
        records: contents
            .records
            .iter()
            .map(|(kind, count)| (name(*kind), *count))
            .collect(),
        record_bytes: contents
            .bytes_per_record()
            .map(|size| (size * 10.0).round() / 10.0),
        notes: contents
            .notes
            .iter()
            .map(|(name, count)| (shown(name.as_bytes()).into(), *count))
            .collect(),
    }
}

fn condition(status: &Status) -> String {
    match status {
        Status::Whole => "whole".to_owned(),
        Status::Torn { .. } | Status::Damaged { .. } => status.to_string(),
    }
}

/// The sum, and its parts.
fn listed(sum: u64, parts: &[(Cow<'static, str>, u64)]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    match parts.as_slice() {
        [] => sum.to_string(),
        parts => format!("{sum}: {}", parts.join(", ")),
    }
}

fn name(number: u8) -> Cow<'static, str> {
    match number {
        kind::PACKET => "packet".into(),
        kind::ENTRY => "entry".into(),
        kind::POLICY => "policy".into(),
        kind::DUMP => "dump".into(),
        kind::CAUSE => "cause".into(),
        kind::SLOW => "slow".into(),
        _ => format!("kind{number}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{recording, schema};

    fn contents() -> Contents {
        Contents::read(&recording::seeds()[1][..]).unwrap()
    }

    #[test]
    fn text_lists_the_contents() {
        let mut out = Vec::new();
        text(&mut out, "a.rsct", &contents());
        let text = String::from_utf8(out).unwrap();
        let expected = "\
file         a.rsct
needs        rsct 0.1.0 or later
machine      gateway, Linux 6.12.9, rsct 0.1.0
duration     0.000 s
";
        assert!(text.starts_with(expected), "{text}");
        assert!(
            text.contains("\nrecords      6: 6 packet\nnotes        1: 1 start\nlost         0 records\n"),
            "{text}"
        );
        assert!(text.contains(" of 3 concatenated recordings\n"), "{text}");
        assert!(
            text.contains("\ncondition    the recording breaks off at byte "),
            "{text}"
        );
    }

    #[test]
    fn json_matches_its_schema() {
        let mut out = Vec::new();
        json(&mut out, "a\x1b.rsct", &contents());
        let line: Value = serde_json::from_slice(&out).unwrap();
        for command in [schema::Command::RecordingInfo, schema::Command::RecordingVerify] {
            schema::Validator::of(command).validate(&line).unwrap();
        }
        assert_eq!(line["records"]["packet"], 6);
        assert_eq!(line["host"], "gateway");
    }

    #[test]
    fn a_line_has_the_condition() {
        let mut out = Vec::new();
        let mut contents = contents();
        contents.status = Status::Whole;
        condition_line(&mut out, "a.rsct", &contents);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a.rsct: whole; 6 records in 3 frames\n"
        );
    }
}
