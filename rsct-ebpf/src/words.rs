//! Memory written in words, and numbers hidden from the compiler.
//!
//! The compiler replaces several zeros in a row by a call of `memset`, which writes bytes. The verifier walks each turn of its
//! loop, and Linux 7.3 analyses the whole stack again for each call. The compiler keeps volatile writes of words.

/// Writes zeros over a `T`, which is made of words.
///
/// # Safety
/// `place` is valid for writes and aligned to a word, and all zeros are a valid `T`.
#[inline(always)]
pub unsafe fn zero<T>(place: *mut T) {
    const { assert!(size_of::<T>().is_multiple_of(8)) };
    let words: *mut u64 = place.cast();
    let mut word = 0;
    while word < size_of::<T>() / 8 {
        // SAFETY: within the `T`.
        unsafe { words.add(word).write_volatile(0) };
        word += 1;
    }
}

/// Copies words; a plain copy of more than a few may become a call of `memcpy`.
///
/// # Safety
/// Both are valid for the size of a `T`, and aligned to a word.
#[inline(always)]
pub unsafe fn copy<const N: usize, T>(to: *mut T, from: *const [u64; N]) {
    const { assert!(size_of::<T>() == N * 8) };
    let (to, from): (*mut u64, *const u64) = (to.cast(), from.cast());
    let mut word = 0;
    while word < N {
        // SAFETY: within both.
        unsafe { to.add(word).write_volatile(from.add(word).read()) };
        word += 1;
    }
}

/// True if both are equal; `==` would call `memcmp`.
#[inline(always)]
pub fn equal<const N: usize>(one: &[u64; N], other: &[u64; N]) -> bool {
    let mut difference = 0;
    let mut word = 0;
    while word < N {
        difference |= opaque(one[word]) ^ other[word];
        word += 1;
    }
    difference == 0
}

/// Returns `number`. The compiler cannot see that, so it keeps checks and arithmetic that it could otherwise derive.
#[inline(always)]
pub fn opaque(number: u64) -> u64 {
    let mut number = number;
    // SAFETY: emits no instruction.
    unsafe { core::arch::asm!("/* {0} */", inout(reg) number, options(pure, nomem, nostack)) };
    number
}
