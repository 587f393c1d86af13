//! Label bits as ctnetlink takes them.

use crate::labels::{LabelMap, MAX_BIT};

/// How many bytes of labels an entry has (`NF_CT_LABELS_MAX_SIZE`). A change that sends fewer clears the rest.
const BYTES: usize = (MAX_BIT as usize + 1) / 8;

/// All the labels that an entry can have, one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelBits([u8; BYTES]);

impl LabelBits {
    /// Every label.
    pub const ALL: Self = Self([u8::MAX; BYTES]);
    /// None.
    pub const NONE: Self = Self([0; BYTES]);

    /// The labels in a list of names and numbers with commas between, if all of them are known.
    pub fn parse(typed: &str, names: &LabelMap) -> Option<Self> {
        let mut bits = Self::NONE;
        for word in typed.split(',') {
            let bit = names.find(word).filter(|bit| *bit <= MAX_BIT)?;
            // Words of 32 bits, each in the machine's order.
            let at = usize::from(bit / 32 * 4);
            let word = u32::from_ne_bytes([bits.0[at], bits.0[at + 1], bits.0[at + 2], bits.0[at + 3]]);
            bits.0[at..at + 4].copy_from_slice(&(word | 1 << (bit % 32)).to_ne_bytes());
        }
        Some(bits)
    }

    /// These and those.
    #[must_use]
    pub fn with(mut self, more: Self) -> Self {
        for (byte, more) in self.0.iter_mut().zip(more.0) {
            *byte |= more;
        }
        self
    }

    /// As they stand in an attribute.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// No label, as it stands in an attribute.
    pub fn none() -> &'static [u8] {
        &[0; BYTES]
    }
}
