//! A recording, or a frame of one with valid checksums: the reader ends without a panic, and stays at the damage.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::recording::{Body, Reader, Status, frame, sealed};

fuzz_target!(|input: &[u8]| {
    // The first byte of a recording is no type of a frame that is read.
    match *input {
        [kind @ 0..0x80, records, low, high, ref payload @ ..] => {
            let raw_bytes = u32::from(u16::from_le_bytes([low, high]));
            let file = sealed(kind, u32::from(records), raw_bytes, payload);
            let (once, status) = read(&file);
            assert!(status != Status::Whole || kind == frame::END);
            // Nothing of the first part is left in the second.
            let (twice, _) = read(&[&file[..], &file].concat());
            assert!(twice == once || twice == (2 * once.0, 2 * once.1));
        }
        _ => {
            read(input);
        }
    }
});

/// The number of frames and of bytes in them.
fn read(file: &[u8]) -> ((u64, usize), Status) {
    let mut size = (0, 0);
    let Ok(mut reader) = Reader::new(file) else {
        return (size, Status::Torn { offset: 0 });
    };
    while let Ok(Some(head)) = reader.advance() {
        size.0 += 1;
        assert_eq!(head.payload_bytes as usize, reader.payload().len());
        match reader.body() {
            Some(Body::Records(mut records)) => {
                while let Some(record) = records.next() {
                    assert!(record.as_ptr().addr() % 8 == 0 && record.len() % 8 == 0 && !record.is_empty());
                    size.1 += record.len();
                }
            }
            Some(Body::Note(note)) => size.1 += note.name.len() + note.json.len(),
            _ => (),
        }
    }
    let status = reader.status();
    assert!(!status.to_string().is_empty());
    (size, status)
}
