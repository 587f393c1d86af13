//! Attributes into bytes: the other way round from [`attr`](super::attr).

use super::attr::NLA_F_NESTED;

/// Collects attributes, one after the other.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    bytes: Vec<u8>,
}

impl Emitter {
    /// Appends an attribute.
    pub(super) fn put(&mut self, kind: u16, payload: &[u8]) {
        let begin = self.begin(kind);
        self.bytes.extend_from_slice(payload);
        self.end(begin);
    }

    /// Appends an attribute that holds attributes.
    pub(super) fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Self)) {
        let begin = self.begin(kind | NLA_F_NESTED);
        inner(self);
        self.end(begin);
    }

    /// What was collected.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn begin(&mut self, kind: u16) -> usize {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        begin
    }

    /// Fills in the length, which counts the header but not the padding.
    fn end(&mut self, begin: usize) {
        let length = u16::try_from(self.bytes.len() - begin).expect("requests are far below 64 KiB");
        self.bytes[begin..begin + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}
