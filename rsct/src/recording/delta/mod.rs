//! Delta coding of records, within one frame.
//!
//! A record is compared, in words of 8 bytes, with an earlier record of its slot; only the halves of words that differ
//! are stored. Slots are chosen by a key, for example the address of a packet's entry, so that the earlier record is of
//! the same flow. docs/recording.md describes the bytes.

mod decode;
mod encode;

pub(super) use decode::{Decoder, Stream};
pub use encode::Key;
pub(super) use encode::{Encoder, Pushed};

/// The longest record, in words of 8 bytes.
pub(super) const MAX_WORDS: usize = 128;
/// The longest record in bytes.
pub const MAX_RECORD_BYTES: usize = MAX_WORDS * 8;
/// The number of slots of a frame.
pub(super) const SLOTS: usize = 1 << 13;
/// Set in the number of a slot that is used for the first time: the kind and the number of words are next.
const DEFINE: u16 = 0x8000;
/// Instead of the number of a slot: a record that uses none.
const NO_SLOT: u16 = 0xffff;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recording::sample;

    const KEYS: &[Key] = &[Key {
        kind: 1,
        slots: 4,
        word: 2,
        mask: 0,
    }];

    fn encode(records: &[Vec<u8>]) -> Vec<u8> {
        let mut encoder = Encoder::new(KEYS);
        for record in records {
            assert_eq!(encoder.push(record), Pushed::Yes);
        }
        let mut raw = Vec::new();
        encoder.take(&mut raw);
        raw
    }

    /// The records before the damage, and whether there is one.
    fn decode(raw: &[u8]) -> (Vec<Vec<u8>>, bool) {
        let mut decoder = Decoder::default();
        let mut records = Vec::new();
        let Ok(mut stream) = decoder.open(raw) else {
            return (records, true);
        };
        loop {
            match stream.next() {
                Ok(Some(record)) => {
                    assert!(record.as_ptr().addr().is_multiple_of(8));
                    records.push(record.to_vec());
                }
                Ok(None) => return (records, false),
                Err(_) => return (records, true),
            }
        }
    }

    proptest! {
        // Each case has many records, and the fuzz target tries more.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_sequence_of_records_is_read_back(records in sample::records()) {
            prop_assert_eq!(decode(&encode(&records)), (records, false));
        }

        #[test]
        fn a_truncated_body_yields_a_prefix(records in sample::records(), cut in any::<prop::sample::Index>()) {
            let raw = encode(&records);
            let (read, _) = decode(&raw[..cut.index(raw.len())]);
            prop_assert!(read.len() <= records.len());
        }

        #[test]
        fn hostile_bytes_are_read_without_a_panic(raw in prop::collection::vec(any::<u8>(), 0..400)) {
            decode(&raw);
        }

        #[test]
        fn changed_bytes_are_read_without_a_panic(
            records in sample::records(),
            at in any::<prop::sample::Index>(),
            to in any::<u8>(),
        ) {
            let mut raw = encode(&records);
            let at = at.index(raw.len());
            raw[at] = to;
            decode(&raw);
        }
    }

    #[test]
    fn the_state_ends_with_the_body() {
        let records = sample::packets(8, 40);
        let mut encoder = Encoder::new(KEYS);
        let mut bodies = [Vec::new(), Vec::new()];
        for body in &mut bodies {
            for record in &records {
                assert_eq!(encoder.push(record), Pushed::Yes);
            }
            encoder.take(body);
        }
        assert_eq!(bodies[0], bodies[1]);
        assert_eq!(decode(&bodies[1]), (records, false));
    }
}
