//! Numbers and addresses with the C library's rules: text after a number is ignored, and text without a number is 0.

use std::net::{Ipv4Addr, Ipv6Addr};

/// `strtoul`: the leading number and the text after it; consumes nothing if there is no number.
pub(crate) fn strtoul(text: &[u8], base: u32) -> (u64, &[u8]) {
    let (magnitude, negative, rest) = read(text, base);
    let value = match (magnitude, negative) {
        (None, _) => u64::MAX,
        (Some(magnitude), false) => magnitude,
        (Some(magnitude), true) => magnitude.wrapping_neg(),
    };
    (value, rest)
}

/// `strtol`.
pub(crate) fn strtol(text: &[u8], base: u32) -> (i64, &[u8]) {
    let (magnitude, negative, rest) = read(text, base);
    let value = match (magnitude.map(i64::try_from), negative) {
        (Some(Ok(magnitude)), false) => magnitude,
        (Some(Ok(magnitude)), true) => -magnitude,
        (_, false) => i64::MAX,
        (_, true) => i64::MIN,
    };
    (value, rest)
}

/// `atoi`, truncated like C's int.
pub(crate) fn atoi(text: &[u8]) -> i32 {
    atol(text) as i32
}

/// `atol`.
pub(crate) fn atol(text: &[u8]) -> i64 {
    strtol(text, 10).0
}

/// The magnitude (`None` if it is too large), the sign, and the rest.
fn read(text: &[u8], base: u32) -> (Option<u64>, bool, &[u8]) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
    let blank = text.iter().take_while(|byte| is_space(byte)).count();
    let mut rest = &text[blank..];
    let negative = rest.first() == Some(&b'-');
    if matches!(rest.first(), Some(b'-' | b'+')) {
        rest = &rest[1..];
    }
    let digit = |byte: &u8, base| char::from(*byte).to_digit(base);
    let mut base = base;
    if base == 0 {
        base = match rest {
            [b'0', b'x' | b'X', first, ..] if digit(first, 16).is_some() => {
                rest = &rest[2..];
                16
            }
            [b'0', ..] => 8,
            _ => 10,
        };
    }
    let digits = rest.iter().map_while(|byte| digit(byte, base));
    let mut magnitude = Some(0u64);
    let mut count = 0;
    for value in digits {
        count += 1;
        magnitude = magnitude
            .and_then(|so_far| so_far.checked_mul(base.into()))
            .and_then(|so_far| so_far.checked_add(value.into()));
    }
    if count == 0 {
        return (Some(0), false, text);
    }
    (magnitude, negative, &rest[count..])
}

/// `inet_aton`: one to four numbers in any base; the last fills the remaining bytes.
pub(crate) fn inet_aton(text: &[u8]) -> Option<Ipv4Addr> {
    let mut parts = [0; 4];
    let mut count = 0;
    let mut rest = text;
    loop {
        if !rest.first()?.is_ascii_digit() {
            return None;
        }
        let (value, after) = strtoul(rest, 0);
        *parts.get_mut(count)? = u32::try_from(value).ok()?;
        count += 1;
        match after {
            [b'.', after @ ..] if count < 4 => rest = after,
            // Text after a blank is ignored.
            [] | [b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r', ..] => break,
            _ => return None,
        }
    }
    let (last, leading) = parts[..count].split_last()?;
    let free_bits = 32 - 8 * u32::try_from(leading.len()).ok()?;
    if free_bits < 32 && last >> free_bits != 0 {
        return None;
    }
    let mut address = *last;
    for (index, byte) in (0..).zip(leading) {
        address |= u32::from(u8::try_from(*byte).ok()?) << (24 - 8 * index);
    }
    Some(address.into())
}

/// `inet_pton` of IPv6.
pub(crate) fn inet_pton6(text: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, value, rest) in [
            ("12", 12, ""),
            ("0x1f/3", 31, "/3"),
            ("0x", 0, "x"),
            ("017", 15, ""),
            ("08", 0, "8"),
            ("  +5x", 5, "x"),
            ("-1", u64::MAX, ""),
            ("x", 0, "x"),
            ("", 0, ""),
            ("99999999999999999999", u64::MAX, ""),
        ] {
            assert_eq!(strtoul(text.as_bytes(), 0), (value, rest.as_bytes()), "{text}");
        }
        assert_eq!(strtol(b"010", 10), (10, &b""[..]));
        assert_eq!(strtol(b"-99999999999999999999", 10).0, i64::MIN);
        assert_eq!(atoi(b"80x"), 80);
        assert_eq!(atoi(b"4294967297"), 1);
    }

    #[test]
    fn addresses_are_read_as_c_reads_them() {
        for (text, address) in [
            ("10.0.0.1", Some([10, 0, 0, 1])),
            ("10.1", Some([10, 0, 0, 1])),
            ("10.1.2", Some([10, 1, 0, 2])),
            ("10", Some([0, 0, 0, 10])),
            ("0x0a.010.1.255", Some([10, 8, 1, 255])),
            ("4294967295", Some([255; 4])),
            ("10.0.0.1 x", Some([10, 0, 0, 1])),
            ("10.0.0.256", None),
            ("256.0.0.1", None),
            ("10.0.0.1.2", None),
            ("10.0.0.1x", None),
            ("10.0.0.", None),
            ("", None),
            ("-1", None),
            ("::1", None),
        ] {
            assert_eq!(inet_aton(text.as_bytes()), address.map(Ipv4Addr::from), "{text}");
        }
    }
}
