//! A number and its noun: "1 entry", "2 entries".

use std::fmt::Display;

/// The number with the singular or the plural.
pub(crate) fn count<N: Display + PartialEq + From<u8>>(number: N, one: &str, more: &str) -> String {
    let words = choose(&number, one, more);
    format!("{number} {words}")
}

/// The singular for 1, else the plural.
pub(crate) fn choose<'a, N: PartialEq + From<u8>>(number: &N, one: &'a str, more: &'a str) -> &'a str {
    if *number == N::from(1) { one } else { more }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_1_is_singular() {
        for (number, text) in [
            (0_u64, "0 entries"),
            (1, "1 entry"),
            (2, "2 entries"),
            (u64::MAX, "18446744073709551615 entries"),
        ] {
            assert_eq!(count(number, "entry", "entries"), text);
        }
    }
}
