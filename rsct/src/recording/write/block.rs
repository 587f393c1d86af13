//! Payloads as blocks of LZ4.
//!
//! The heads of records resemble each other, and LZ4 shortens them to a few bytes. Their values are the parts that differ:
//! searching them for repetitions costs more instructions than encoding the records, so they follow as literals.

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use crate::recording::format::frame;

/// The part of a payload that is compressed, and the rest.
fn parts(kind: u8, raw: &[u8]) -> (&[u8], &[u8]) {
    if kind != frame::RECORDS {
        return (raw, &[]);
    }
    let heads = raw
        .first_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size) as usize);
    raw.split_at(raw.len().min(heads.saturating_add(4)))
}

/// Appends the block of a frame's payload to `out`. Returns false, with `out` as it was, if the block is not shorter.
pub(super) fn append(out: &mut Vec<u8>, kind: u8, raw: &[u8], table: &mut CompressTable) -> bool {
    let start = out.len();
    let (alike, rest) = parts(kind, raw);
    out.resize(start + get_maximum_output_size(alike.len()), 0);
    let size = match compress_into_with_table(alike, out.get_mut(start..).unwrap_or_default(), table) {
        Ok(size) => size,
        Err(_) => raw.len(),
    };
    out.truncate(start + size);
    let is_shorter = size + rest.len() < raw.len() && (rest.is_empty() || append_literals(out, start, rest));
    if !is_shorter || out.len() - start >= raw.len() {
        out.truncate(start);
        return false;
    }
    true
}

/// Appends literals to the block at `start`, whose last sequence has no match. Returns false if it is no block.
fn append_literals(out: &mut Vec<u8>, start: usize, literals: &[u8]) -> bool {
    let Some((token, first)) = last_sequence(out, start) else {
        return false;
    };
    let own = out.split_off(first);
    out.truncate(token);
    let count = own.len() + literals.len();
    out.push((count.min(15) as u8) << 4);
    if let Some(mut more) = count.checked_sub(15) {
        while more >= 255 {
            out.push(255);
            more -= 255;
        }
        out.push(more as u8);
    }
    out.extend(own);
    out.extend(literals);
    true
}

/// The positions of the last sequence's token and of its first literal.
fn last_sequence(block: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut at = start;
    loop {
        let token = at;
        let lengths = *block.get(at)?;
        at += 1;
        let literals = length(block, &mut at, lengths >> 4)?;
        let first = at;
        at += literals;
        if at == block.len() {
            return Some((token, first));
        }
        // The match's offset.
        at += 2;
        length(block, &mut at, lengths & 15)?;
    }
}

/// A length of which the token has the first 15.
fn length(block: &[u8], at: &mut usize, first: u8) -> Option<usize> {
    let mut length = usize::from(first);
    if first == 15 {
        loop {
            let more = *block.get(*at)?;
            *at += 1;
            length += usize::from(more);
            if more < 255 {
                break;
            }
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use lz4_flex::block::decompress;
    use proptest::prelude::*;

    use super::*;

    /// Bytes in which LZ4 finds matches, long ones and none.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            prop::collection::vec(0..3_u8, 0..600),
            (any::<u8>(), 0..70_000_usize).prop_map(|(byte, count)| vec![byte; count]),
        ]
    }

    proptest! {
        #[test]
        fn a_block_has_the_whole_payload(heads in bytes(), values in bytes()) {
            let size = (heads.len() as u32).to_le_bytes();
            let raw = [&size[..], &heads, &values].concat();
            let mut out = b"before".to_vec();
            let mut table = CompressTable::large();
            for kind in [frame::RECORDS, frame::NOTE] {
                out.truncate(6);
                if append(&mut out, kind, &raw, &mut table) {
                    prop_assert!(out.len() < 6 + raw.len());
                    prop_assert_eq!(&decompress(&out[6..], raw.len()).unwrap(), &raw);
                }
                prop_assert_eq!(&out[..6], b"before");
            }
        }

        #[test]
        fn any_bytes_are_a_payload(raw in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut out = Vec::new();
            if append(&mut out, frame::RECORDS, &raw, &mut CompressTable::large()) {
                prop_assert_eq!(decompress(&out, raw.len()).unwrap(), raw);
            }
        }
    }

    #[test]
    fn alike_heads_become_short_and_values_stay() {
        let raw = [&1000_u32.to_le_bytes()[..], &[7; 1000], &[8; 1000]].concat();
        let mut out = Vec::new();
        assert!(append(
            &mut out,
            frame::RECORDS,
            &raw,
            &mut CompressTable::large()
        ));
        assert!((1000..1040).contains(&out.len()), "{}", out.len());
    }
}
