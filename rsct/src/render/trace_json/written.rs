//! Text that is written once, and copied as long as it is made from the same values.

/// The values that a text was made from, compared word by word: the function that the compiler would call instead
/// compares every byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<const N: usize>(pub(super) [u64; N]);

impl<const N: usize> PartialEq for Key<N> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(&other.0)
            .fold(0, |differing, (a, b)| differing | (a ^ b))
            == 0
    }
}

/// A text, and the values that it was made from.
#[derive(Debug)]
pub(super) struct Written<K> {
    of: Option<K>,
    text: Vec<u8>,
}

impl<K> Default for Written<K> {
    fn default() -> Self {
        Self {
            of: None,
            text: Vec::new(),
        }
    }
}

impl<K: PartialEq> Written<K> {
    /// Appends the text of `key`, which is made anew only if `key` is not the last one.
    #[inline(always)]
    pub(super) fn again(&mut self, out: &mut Vec<u8>, key: K, write: impl FnOnce(&mut Vec<u8>)) {
        if self.of.as_ref() != Some(&key) {
            self.text.clear();
            write(&mut self.text);
            self.of = Some(key);
        }
        out.extend_from_slice(&self.text);
    }
}
