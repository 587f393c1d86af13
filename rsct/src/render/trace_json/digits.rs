//! Eight decimal digits at once: as bytes of one word they take twenty instructions, and no loop.

/// The first number with more than eight digits.
pub(super) const END: u64 = 100_000_000;

/// The digits of a number below [`END`], each in a byte, the first in the lowest; zeros before them.
#[inline(always)]
fn values(number: u32) -> u64 {
    let (high, low) = (u64::from(number / 10_000), u64::from(number % 10_000));
    // Two numbers below 10,000, then four below 100, then eight below 10: the multiplications divide by 100 and by 10.
    let fours = high | low << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos - tens * 10) << 8
}

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// A number below [`END`] as eight digits.
#[inline(always)]
pub(super) fn eight(number: u32) -> [u8; 8] {
    (values(number) | ZEROS).to_le_bytes()
}

/// Writes a number below [`END`] over the last `width` bytes of `text`. Returns false if it has not as many digits.
#[inline(always)]
pub(super) fn replace(text: &mut [u8; 8], width: u32, number: u32) -> bool {
    let values = values(number);
    // Zero has one digit.
    let before = (values | 1 << 63).trailing_zeros() & !7;
    if before + 8 * width != 64 {
        return false;
    }
    let kept = !(u64::MAX << before);
    *text = (u64::from_le_bytes(*text) & kept | (values | ZEROS) & !kept).to_le_bytes();
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn digits_are_those_of_the_number(number in 0..END as u32, drop in 0..8_u32, width in 1..=20_u32) {
            let number = number / 10_u32.pow(drop);
            prop_assert_eq!(eight(number).to_vec(), format!("{number:08}").into_bytes());
            let mut text = *b"abcdefgh";
            let fits = number.to_string().len() == width as usize;
            prop_assert_eq!(replace(&mut text, width, number), fits);
            let expected = match fits {
                true => format!("{}{number}", &"abcdefgh"[..8 - width as usize]),
                false => "abcdefgh".to_owned(),
            };
            prop_assert_eq!(text.to_vec(), expected.into_bytes());
        }
    }

    #[test]
    fn the_least_and_the_greatest_have_their_digits() {
        for number in (0..20_000).chain([9_999_999, 10_000_000, 99_999_999]) {
            assert_eq!(eight(number).to_vec(), format!("{number:08}").into_bytes());
        }
    }
}
