//! Label bits in ctnetlink's format.

use crate::labels::{LabelMap, MAX_BIT};

/// Bytes of labels in an entry (`NF_CT_LABELS_MAX_SIZE`). A shorter attribute clears the rest.
const BYTES: usize = (MAX_BIT as usize + 1) / 8;

/// All labels that an entry can have, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelBits([u8; BYTES]);

impl LabelBits {
    /// Every label.
    pub(crate) const ALL: Self = Self([u8::MAX; BYTES]);
    /// None.
    pub(crate) const NONE: Self = Self([0; BYTES]);

    /// Parses a comma-separated list of names and numbers; `None` if one is unknown.
    pub(crate) fn parse(typed: &str, names: &LabelMap) -> Option<Self> {
        let mut bits = Self::NONE;
        for word in typed.split(',') {
            let bit = names.find(word).filter(|bit| *bit <= MAX_BIT)?;
            // The kernel keeps 32-bit words in the machine's byte order.
            let at = usize::from(bit / 32 * 4);
            let word = u32::from_ne_bytes([bits.0[at], bits.0[at + 1], bits.0[at + 2], bits.0[at + 3]]);
            bits.0[at..at + 4].copy_from_slice(&(word | 1 << (bit % 32)).to_ne_bytes());
        }
        Some(bits)
    }

    /// The union of two sets.
    #[must_use]
    pub(crate) fn with(mut self, more: Self) -> Self {
        for (byte, more) in self.0.iter_mut().zip(more.0) {
            *byte |= more;
        }
        self
    }

    /// The payload of an attribute.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The payload of an attribute without labels.
    pub(crate) fn none() -> &'static [u8] {
        &[0; BYTES]
    }
}
