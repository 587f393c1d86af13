//! Damaged recordings: a reader reports the part before the damage and nothing that did not happen.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use proptest::prelude::*;

use super::{path, replay::trace_of};
use crate::{render::trace_json::TraceJson, source::recorded::Files};

/// A file that is deleted at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn of(bytes: &[u8]) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rsct-damaged-{}-{number}.rsct", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The lines of packets and entries of a recording with these bytes; none if it is no recording.
fn lines_of(bytes: &[u8]) -> Option<String> {
    let file = Temporary::of(bytes);
    let files = Files::open(std::slice::from_ref(&file.0)).ok()?;
    let hz = files.start()?.setup.hz;
    let traced = trace_of(files, TraceJson::new(hz), true).ok()?;
    let is_event = |line: &&str| line.contains("\"type\":\"packet\"") || line.contains("\"type\":\"entry\"");
    let lines = traced.lines.lines().filter(is_event);
    Some(lines.map(|line| format!("{line}\n")).collect())
}

#[test]
fn a_truncated_recording_has_the_lines_before_the_cut() {
    let bytes = fs::read(path("udp", "rsct")).unwrap();
    let whole = lines_of(&bytes).unwrap();
    let mut partial = 0;
    for length in (0..bytes.len()).step_by(101) {
        // Without its first note it is no recording.
        let Some(lines) = lines_of(&bytes[..length]) else {
            continue;
        };
        assert!(whole.starts_with(&lines), "{length}:\n{lines}");
        partial += usize::from(!lines.is_empty() && lines != whole);
    }
    assert!(partial > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_recording_with_a_flipped_bit_has_no_other_lines(
        position in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let mut bytes = fs::read(path("tcp", "rsct")).unwrap();
        let whole = lines_of(&bytes).unwrap();
        let position = position.index(bytes.len());
        bytes[position] ^= 1_u8 << bit;
        if let Some(lines) = lines_of(&bytes) {
            prop_assert!(whole.starts_with(&lines), "byte {position}:\n{lines}");
        }
    }
}
