//! Writes attributes: the reverse of [`attr`](super::attr).

use super::attr::NLA_F_NESTED;

/// Appends attributes to a message, one after the other.
#[derive(Debug)]
pub struct Emitter<'a> {
    bytes: &'a mut Vec<u8>,
}

impl<'a> Emitter<'a> {
    /// Appends to these bytes, whose length must be a multiple of four.
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Appends an attribute.
    #[inline]
    pub fn put(&mut self, kind: u16, payload: &[u8]) {
        let begin = self.begin(kind);
        self.bytes.extend_from_slice(payload);
        self.end(begin);
    }

    /// Appends attributes that are already in wire format.
    #[inline]
    pub(super) fn written(&mut self, attributes: &[u8]) {
        self.bytes.extend_from_slice(attributes);
    }

    /// Appends a single byte.
    #[inline]
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.put(kind, &[value]);
    }

    /// Appends a number in network order.
    #[inline]
    pub fn be16(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_be_bytes());
    }

    /// Appends a number in network order.
    #[inline]
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    /// Appends a number in network order.
    #[inline]
    pub fn be64(&mut self, kind: u16, value: u64) {
        self.put(kind, &value.to_be_bytes());
    }

    /// Appends a string and the terminating zero byte that the kernel requires.
    pub fn string(&mut self, kind: u16, text: &[u8]) {
        let begin = self.begin(kind);
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
        self.end(begin);
    }

    /// Appends an attribute that contains attributes.
    #[inline]
    pub fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Emitter<'_>)) {
        let begin = self.begin(kind | NLA_F_NESTED);
        inner(self);
        self.end(begin);
    }

    #[inline]
    fn begin(&mut self, kind: u16) -> usize {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        begin
    }

    /// Sets the length, which includes the header but not the padding.
    #[inline]
    fn end(&mut self, begin: usize) {
        let length = u16::try_from(self.bytes.len() - begin).expect("an attribute is far below 64 KiB");
        self.bytes[begin..begin + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}
