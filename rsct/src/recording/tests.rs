//! Whole recordings: written to disk, read, truncated, damaged, concatenated.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use super::{sample::KEYS, *};

/// A directory of its own for each test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rsct-recording-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("a.rsct")
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A part of a recording.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Record(Vec<u8>),
    Note(String, Vec<u8>),
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let note = ("[a-z_]{0,9}", prop::collection::vec(any::<u8>(), 0..60));
    let note = note.prop_map(|(name, json)| vec![Part::Note(name, json)]);
    let records = sample::records().prop_map(|records| records.into_iter().map(Part::Record).collect());
    prop::collection::vec(prop_oneof![note, records], 0..5).prop_map(|parts| parts.concat())
}

fn options(path: &Path) -> Options {
    Options {
        path: path.to_owned(),
        max_bytes: None,
        keep: 1,
        keys: KEYS,
    }
}

fn write(path: &Path, parts: &[Part]) -> Vec<u8> {
    let mut writer = Writer::create(options(path)).unwrap();
    append(&mut writer, parts);
    writer.finish().unwrap();
    fs::read(path).unwrap()
}

fn append(writer: &mut Writer, parts: &[Part]) {
    for (time_ns, part) in (1..).zip(parts) {
        match part {
            Part::Record(record) => writer.record(record, time_ns).unwrap(),
            Part::Note(name, json) => writer.note(name, json, time_ns).unwrap(),
        }
    }
}

fn read(bytes: &[u8]) -> Result<(Vec<Part>, Status), ReadError> {
    let mut reader = Reader::new(bytes)?;
    let mut parts = Vec::new();
    while reader.advance()?.is_some() {
        match reader.body() {
            Some(Body::Records(mut records)) => {
                while let Some(record) = records.next() {
                    assert!(record.as_ptr().addr().is_multiple_of(8));
                    parts.push(Part::Record(record.to_vec()));
                }
            }
            Some(Body::Note(note)) => parts.push(Part::Note(note.name.to_owned(), note.json.to_vec())),
            _ => (),
        }
    }
    assert!(reader.advance()?.is_none());
    Ok((parts, reader.status()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_recording_is_read_back(parts in parts()) {
        let dir = Dir::new("back");
        let bytes = write(&dir.file(), &parts);
        prop_assert_eq!(read(&bytes).unwrap(), (parts.clone(), Status::Whole));
        let twice = read(&[&bytes[..], &bytes].concat()).unwrap();
        prop_assert_eq!(twice, ([&parts[..], &parts].concat(), Status::Whole));
    }

    #[test]
    fn one_flipped_bit_yields_no_wrong_record(parts in parts(), bit in any::<prop::sample::Index>()) {
        let dir = Dir::new("bit");
        let mut bytes = write(&dir.file(), &parts);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        match read(&bytes) {
            Ok((read, status)) => {
                prop_assert!(parts.starts_with(&read));
                prop_assert!(matches!(status, Status::Damaged { .. }), "{status}");
            }
            Err(error) => prop_assert!(bit < 16 * 8, "{error}"),
        }
    }

    #[test]
    fn hostile_frames_are_read_without_a_panic(
        frame in 0..6_u8,
        raw_bytes in prop_oneof![Just(0), 0..5000_u32],
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let _ = read(&sealed(frame, 1, raw_bytes, &payload));
    }
}

/// Notes and records in three frames.
fn small() -> Vec<Part> {
    let packets = sample::packets(3, 20).into_iter().map(Part::Record);
    [Part::Note("start".into(), b"{}".to_vec())]
        .into_iter()
        .chain(packets)
        .chain([Part::Note("fact".into(), b"[1]".to_vec())])
        .collect()
}

#[test]
fn a_file_truncated_at_any_byte_yields_its_whole_frames() {
    let dir = Dir::new("cut");
    let (parts, bytes) = (small(), write(&dir.file(), &small()));
    let mut counts = Vec::new();
    for size in 0..bytes.len() {
        let (read, status) = read(&bytes[..size]).unwrap();
        assert!(parts.starts_with(&read), "{size}");
        assert!(
            matches!(status, Status::Torn { offset } if offset <= size as u64),
            "{size}: {status}"
        );
        counts.push(read.len());
    }
    assert!(counts.is_sorted());
    counts.dedup();
    assert_eq!(counts, [0, 1, 21, 22]);
}

#[test]
fn a_torn_recording_before_another_is_reported_and_the_other_is_read() {
    let dir = Dir::new("torn");
    let (parts, bytes) = (small(), write(&dir.file(), &small()));
    let end = bytes.len() - 60;
    let (read, status) = read(&[&bytes[..end], &bytes].concat()).unwrap();
    assert_eq!(read, [&parts[..], &parts].concat());
    assert_eq!(status, Status::Torn { offset: end as u64 });
}

#[test]
fn zeros_after_a_recording_are_damage_and_not_an_error() {
    let dir = Dir::new("zeros");
    let bytes = write(&dir.file(), &small());
    let (read, status) = read(&[&bytes[..bytes.len() - 60], &[0; 4096]].concat()).unwrap();
    assert_eq!(read, small());
    assert!(status.to_string().contains("is damaged at byte"), "{status}");
}

#[test]
fn foreign_files_are_refused() {
    assert!(matches!(read(b"{\"type\":\"schema\"}"), Err(ReadError::Foreign)));
    assert!(matches!(read(&[0; 200]), Err(ReadError::Foreign)));
}

#[test]
fn frames_are_copied_as_they_are() {
    let dir = Dir::new("copy");
    let bytes = write(&dir.file(), &small());
    let copied = dir.0.join("b.rsct");
    let mut writer = Writer::create(options(&copied)).unwrap();
    let mut reader = Reader::new(&bytes[..]).unwrap();
    while let Some(head) = reader.advance().unwrap() {
        writer.copy(&head, reader.payload()).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(fs::read(&copied).unwrap(), bytes);
}

#[test]
fn a_frame_is_on_disk_before_it_is_a_second_old() {
    let dir = Dir::new("settle");
    let mut writer = Writer::create(options(&dir.file())).unwrap();
    append(&mut writer, &small()[1..3]);
    for now_ms in (0..=900).step_by(20) {
        let unsettled = fs::read(dir.file()).unwrap();
        assert_eq!(read(&unsettled).unwrap().0, []);
        writer.settle(now_ms * 1_000_000).unwrap();
    }
    for _ in 0..1000 {
        if read(&fs::read(dir.file()).unwrap()).unwrap().0 == small()[1..3] {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the frame is not on disk");
}

#[test]
fn rotated_files_stand_alone_and_concatenate() {
    let dir = Dir::new("rotate");
    let mut writer = Writer::create(Options {
        max_bytes: Some(2000),
        keep: 3,
        ..options(&dir.file())
    })
    .unwrap();
    let start = small()[..1].to_vec();
    append(&mut writer, &start);
    let packets: Vec<Part> = sample::packets(3, 1000).into_iter().map(Part::Record).collect();
    let mut rotated = 0;
    for packet in packets.chunks(10) {
        append(&mut writer, packet);
        if writer.is_full() {
            rotated += 1;
            writer
                .rotate(|writer| {
                    append(writer, &start);
                    Ok(())
                })
                .unwrap();
            if rotated == 4 {
                // Another program deletes a file.
                let _ = fs::remove_file(dir.0.join("a.rsct.1"));
            }
        }
    }
    let summary = writer.finish().unwrap();
    assert!(rotated > 6, "{rotated}");
    assert_eq!(summary.files, rotated + 1);
    assert_eq!(dir.names(), ["a.rsct", "a.rsct.1", "a.rsct.2"]);
    let files = ["a.rsct.2", "a.rsct.1", "a.rsct"].map(|name| fs::read(dir.0.join(name)).unwrap());
    let mut all = Vec::new();
    for file in &files {
        assert!(file.len() < 4000);
        let (parts, status) = read(file).unwrap();
        assert_eq!((parts.first(), status), (start.first(), Status::Whole));
        all.extend(parts);
    }
    assert_eq!(read(&files.concat()).unwrap(), (all.clone(), Status::Whole));
    all.retain(|part| matches!(part, Part::Record(_)));
    assert!(packets.ends_with(&all));
}

#[test]
fn losses_are_in_every_frame_after_them() {
    let dir = Dir::new("lost");
    let mut writer = Writer::create(options(&dir.file())).unwrap();
    append(&mut writer, &small()[..1]);
    writer.lost(7);
    append(&mut writer, &small()[1..2]);
    writer.note("fact", b"", 1).unwrap();
    writer.lost(9);
    writer.finish().unwrap();
    let bytes = fs::read(dir.file()).unwrap();
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let mut lost = Vec::new();
    while let Some(head) = reader.advance().unwrap() {
        if head.frame != frame::INDEX {
            lost.push(head.lost);
        }
    }
    assert_eq!(lost, [0, 7, 7, 9]);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let dir = Dir::new("refused");
    let missing = dir.0.join("missing/a.rsct");
    let error = Writer::create(options(&missing)).unwrap_err().to_string();
    assert!(
        error.starts_with("creating the recording /") && error.ends_with("(create its directory)"),
        "{error}"
    );
    let mut writer = Writer::create(options(&dir.file())).unwrap();
    for bytes in [0, 4, 12, 1032] {
        let record = vec![1; bytes];
        assert!(
            matches!(writer.record(&record, 0), Err(WriteError::Record(_))),
            "{bytes}"
        );
    }
    assert!(writer.note(&"n".repeat(256), b"", 0).is_err());
    assert!(writer.note("n", &vec![0; MAX_FRAME_BYTES], 0).is_err());
    writer.record(&[1; 1024], 0).unwrap();
    assert_eq!(writer.finish().unwrap().files, 1);
}

#[test]
fn a_full_disk_is_reported_by_the_next_call() {
    let mut writer = match Writer::create(options(Path::new("/dev/full"))) {
        Ok(writer) => writer,
        Err(error) => {
            assert!(error.to_string().contains("No space left on device"), "{error}");
            return;
        }
    };
    panic!("{:?}", writer.note("start", b"", 0));
}

#[test]
fn packets_take_few_bytes() {
    for (flows, limit) in [(1, 12), (8, 14), (200, 20), (2000, 40)] {
        let dir = Dir::new("bytes");
        let packets: Vec<Part> = sample::packets(flows, 100_000)
            .into_iter()
            .map(Part::Record)
            .collect();
        let bytes = write(&dir.file(), &packets);
        let each = bytes.len() as f64 / packets.len() as f64;
        assert!(each < f64::from(limit), "{flows} flows: {each:.1} bytes a packet");
        assert!(read(&bytes).unwrap().0 == packets);
    }
}

#[test]
fn a_second_recorder_leaves_the_file_as_it_is() {
    let dir = Dir::new("second");
    fs::write(dir.file(), "an older file").unwrap();
    let mut writer = Writer::create(options(&dir.file())).unwrap();
    append(&mut writer, &small());
    let error = Writer::create(options(&dir.file())).unwrap_err().to_string();
    assert!(error.contains("a.rsct: another rsct is writing"), "{error}");
    writer.finish().unwrap();
    let bytes = fs::read(dir.file()).unwrap();
    assert_eq!(read(&bytes).unwrap(), (small(), Status::Whole));
    write(&dir.file(), &[]);
}

#[test]
fn a_deleted_file_ends_the_recording_and_a_renamed_one_does_not() {
    let dir = Dir::new("deleted");
    let renamed = dir.0.join("b.rsct");
    let mut writer = Writer::create(options(&dir.file())).unwrap();
    append(&mut writer, &small());
    fs::rename(dir.file(), &renamed).unwrap();
    append(&mut writer, &small());
    writer.finish().unwrap();
    let both = [small(), small()].concat();
    assert_eq!(read(&fs::read(&renamed).unwrap()).unwrap().0, both);

    let mut writer = Writer::create(options(&renamed)).unwrap();
    fs::remove_file(&renamed).unwrap();
    append(&mut writer, &small()[..1]);
    let error = writer.finish().unwrap_err().to_string();
    assert!(
        error.contains("b.rsct: another process deleted the file"),
        "{error}"
    );
}
