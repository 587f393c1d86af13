//! Numbers, addresses and strings as bytes, without `fmt`: a trace writes tens of them for every packet.

use std::io::Write as _;

use crate::outside;
use std::net::{IpAddr, Ipv6Addr};

/// Appends a text that is mostly short. Calling memcpy() for each of a line's forty pieces would cost more than the rest
/// of the line; a copy of a size known to the compiler is an instruction or two.
#[inline]
pub(crate) fn short(out: &mut Vec<u8>, text: &[u8]) {
    match *text {
        [] => {}
        [a] => out.push(a),
        [a, b] => out.extend_from_slice(&[a, b]),
        [a, b, c] => out.extend_from_slice(&[a, b, c]),
        _ if text.len() <= 8 => overlapping::<4, 8>(out, text),
        _ if text.len() <= 16 => overlapping::<8, 16>(out, text),
        _ if text.len() <= 32 => overlapping::<16, 32>(out, text),
        _ => out.extend_from_slice(text),
    }
}

/// Appends a text of `N` to `TWICE` bytes by its first and its last `N`.
#[inline]
fn overlapping<const N: usize, const TWICE: usize>(out: &mut Vec<u8>, text: &[u8]) {
    let mut both = [0; TWICE];
    if let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) {
        both[..N].copy_from_slice(first);
        if let Some(end) = both.get_mut(text.len() - N..text.len()) {
            end.copy_from_slice(last);
        }
    }
    let start = out.len();
    out.extend_from_slice(&both);
    out.truncate(start + text.len());
}

/// Appends a number in decimal.
pub(crate) fn number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    short(out, itoa::Buffer::new().format(value).as_bytes());
}

/// Each byte in decimal with a dot after it, and the length of that text.
const DOTTED: [([u8; 4], u8); 256] = {
    let mut all = [([b'.'; 4], 0); 256];
    let mut byte = 0;
    while byte < 256 {
        let digits = [byte / 100, byte / 10 % 10, byte % 10];
        let mut skip = if byte >= 100 {
            0
        } else if byte >= 10 {
            1
        } else {
            2
        };
        all[byte].1 = 4 - skip as u8;
        let mut at = 0;
        while skip < 3 {
            all[byte].0[at] = b'0' + digits[skip] as u8;
            at += 1;
            skip += 1;
        }
        byte += 1;
    }
    all
};

fn ipv4(out: &mut Vec<u8>, octets: [u8; 4]) {
    let start = out.len();
    let mut length = 0;
    let mut text = [0; 16];
    for octet in octets {
        let (dotted, bytes) = DOTTED[usize::from(octet)];
        if let Some(next) = text[length..].first_chunk_mut() {
            *next = dotted;
        }
        length += usize::from(bytes);
    }
    out.extend_from_slice(&text);
    // Less the last dot.
    out.truncate(start + length - 1);
}

/// Appends a number in decimal, with zeros before it to a width.
pub(crate) fn padded(out: &mut Vec<u8>, value: impl itoa::Integer, width: usize) {
    const ZEROS: [u8; 32] = [b'0'; 32];
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    let zeros = width.saturating_sub(digits.len()).min(ZEROS.len());
    short(out, &ZEROS[..zeros]);
    short(out, digits);
}

/// Appends a number in decimal, with spaces before it to a width.
pub(crate) fn aligned(out: &mut Vec<u8>, value: impl itoa::Integer, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    spaces(out, width.saturating_sub(digits.len()));
    short(out, digits);
}

/// Appends spaces.
pub(crate) fn spaces(out: &mut Vec<u8>, count: usize) {
    const SPACES: [u8; 64] = [b' '; 64];
    match SPACES.get(..count) {
        Some(spaces) => out.extend_from_slice(spaces),
        None => out.resize(out.len() + count, b' '),
    }
}

/// Appends a number in hexadecimal, with `0x`.
pub(crate) fn hex(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(b"0x");
    nibbles(out, value);
}

/// A number in hexadecimal, without zeros before it.
#[inline]
fn nibbles(out: &mut Vec<u8>, value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = (64 - value.leading_zeros()).div_ceil(4).max(1);
    for nibble in (0..nibbles).rev() {
        out.push(DIGITS[(value >> (nibble * 4)) as usize & 15]);
    }
}

/// Appends an address.
pub(crate) fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => ipv4(out, address.octets()),
        IpAddr::V6(address) => ipv6(out, address),
    }
}

fn ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    let segments = address.segments();
    let [.., a, b, c, d] = address.octets();
    match segments {
        // libc, and so every other tool, prints an IPv4 address inside these; Rust does not.
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
            out.extend_from_slice(b"::");
            ipv4(out, [a, b, c, d]);
        }
        [0, 0, 0, 0, 0, 0xffff, ..] => {
            out.extend_from_slice(b"::ffff:");
            ipv4(out, [a, b, c, d]);
        }
        _ => match longest_zeros(&segments) {
            Some((start, end)) => {
                groups(out, &segments[..start]);
                out.extend_from_slice(b"::");
                groups(out, &segments[end..]);
            }
            None => groups(out, &segments),
        },
    }
}

/// Start and end of the longest run of at least two zeros, the first of equals.
#[inline]
fn longest_zeros(segments: &[u16; 8]) -> Option<(usize, usize)> {
    let mut longest = (0, 1);
    let mut start = 0;
    for (index, segment) in segments.iter().enumerate() {
        if *segment != 0 {
            start = index + 1;
        } else if index + 1 - start > longest.1 - longest.0 {
            longest = (start, index + 1);
        }
    }
    (longest.1 - longest.0 > 1).then_some(longest)
}

/// Groups of an IPv6 address, separated by colons.
#[inline]
fn groups(out: &mut Vec<u8>, segments: &[u16]) {
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 {
            out.push(b':');
        }
        nibbles(out, u64::from(*segment));
    }
}

/// Appends an object's JSON, with terminal controls escaped.
pub(crate) fn json_object(out: &mut Vec<u8>, object: &impl serde::Serialize) {
    // Objects with text keys always serialize.
    escaped(out, &serde_json::to_string(object).unwrap_or_default());
}

/// The same on several lines, with a newline after the last.
pub(crate) fn json_pretty(out: &mut Vec<u8>, object: &impl serde::Serialize) {
    escaped(out, &serde_json::to_string_pretty(object).unwrap_or_default());
    out.push(b'\n');
}

fn escaped(out: &mut Vec<u8>, json: &str) {
    // Outside of strings, JSON's only control characters are line ends.
    for char in json.chars() {
        if char != '\n' && outside::is_harmful(char) {
            json_escape(out, char);
        } else {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Appends a line of JSON output.
pub(crate) fn json_line(out: &mut Vec<u8>, line: &impl serde::Serialize) {
    json_object(out, line);
    out.push(b'\n');
}

fn json_escape(out: &mut Vec<u8>, char: char) {
    for unit in char.encode_utf16(&mut [0; 2]) {
        // Writing to a Vec can't fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// Appends text as the inside of a JSON string, with terminal controls escaped; bytes that are not UTF-8 are replaced.
pub(crate) fn json_text(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                char if outside::is_harmful(char) => json_escape(out, char),
                char => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("writers write UTF-8")
    }

    #[test]
    fn json_says_nothing_to_a_terminal() {
        // The second is the control sequence introducer in one character.
        let quoted = text(|out| json_text(out, "\u{7f}\u{9b}31m\x1b\n\"\\ü".as_bytes()));
        assert_eq!(quoted, "\\u007f\\u009b31m\\u001b\\u000a\\\"\\\\ü");
        let turned = text(|out| json_text(out, "\u{202e}\u{e0041}".as_bytes()));
        assert_eq!(turned, "\\u202e\\udb40\\udc41");
        let object = serde_json::json!({ "name": "\u{9b}31m\u{202e}\"ü" });
        assert_eq!(
            text(|out| json_object(out, &object)),
            "{\"name\":\"\\u009b31m\\u202e\\\"ü\"}"
        );
    }

    #[test]
    fn hexadecimal_has_no_leading_zeros() {
        assert_eq!(text(|out| hex(out, 0)), "0x0");
        assert_eq!(text(|out| hex(out, 0x1f)), "0x1f");
        assert_eq!(text(|out| hex(out, u64::MAX)), "0xffffffffffffffff");
    }

    #[test]
    fn addresses_look_as_everywhere() {
        for address_text in [
            "0.0.0.0",
            "192.168.34.11",
            "255.255.255.255",
            "::1",
            "2001:db8::1",
            "::",
            "::192.0.2.1",
            "::ffff:192.0.2.1",
            "1:0:0:2::3",
        ] {
            let parsed = address_text.parse().expect("a valid address");
            assert_eq!(text(|out| address(out, parsed)), address_text);
        }
    }

    #[test]
    fn short_texts_of_every_length_are_whole() {
        let bytes: Vec<u8> = (0..100).collect();
        for length in 0..bytes.len() {
            let mut out = b"before".to_vec();
            short(&mut out, &bytes[..length]);
            assert_eq!(out, [b"before", &bytes[..length]].concat());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_address_looks_as_everywhere(octets: [u8; 4]) {
            let parsed = std::net::Ipv4Addr::from(octets);
            proptest::prop_assert_eq!(text(|out| address(out, parsed.into())), parsed.to_string());
        }

        #[test]
        fn any_ipv6_address_looks_as_everywhere(
            segments in proptest::array::uniform8(proptest::prop_oneof![
                proptest::strategy::Just(0u16),
                0..0x20u16,
                proptest::prelude::any::<u16>()
            ]),
        ) {
            let parsed = Ipv6Addr::from(segments);
            let expected = match segments {
                [0, 0, 0, 0, 0, 0, high, _] if high != 0 => format!("::{}", parsed.to_ipv4().expect("it has one")),
                _ => parsed.to_string(),
            };
            proptest::prop_assert_eq!(text(|out| address(out, parsed.into())), expected);
        }

        #[test]
        fn any_bytes_become_a_json_string(bytes: Vec<u8>) {
            let quoted = format!("\"{}\"", text(|out| json_text(out, &bytes)));
            let parsed: String = serde_json::from_str(&quoted).expect("valid JSON");
            proptest::prop_assert_eq!(parsed, String::from_utf8_lossy(&bytes));
        }
    }
}
