//! Members of JSON objects whose keys are literals: the compiler knows their lengths.

use super::bytes;

/// Appends a literal: a few stores.
#[inline(always)]
pub(super) fn literal<const N: usize>(out: &mut Vec<u8>, text: &'static [u8; N]) {
    out.extend_from_slice(text);
}

/// Appends a number. `key` ends where the number begins.
#[inline(always)]
pub(super) fn number<const N: usize>(out: &mut Vec<u8>, key: &'static [u8; N], value: impl itoa::Integer) {
    literal(out, key);
    bytes::number(out, value);
}

/// Appends a word, which needs no escaping. `key` ends with the opening quote.
#[inline(always)]
pub(super) fn word<const N: usize>(out: &mut Vec<u8>, key: &'static [u8; N], value: &'static str) {
    literal(out, key);
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}
