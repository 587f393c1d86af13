//! Netlink attributes, parsed in place.
//!
//! A dump of a million entries holds some thirty million attributes, so nothing here allocates: an attribute
//! is a slice of the receive buffer. Every length is checked before use.

use thiserror::Error;

/// Set in an attribute's type if its payload consists of attributes.
pub(super) const NLA_F_NESTED: u16 = 1 << 15;
/// Set in an attribute's type if its payload is in network byte order.
const NLA_F_NET_BYTEORDER: u16 = 1 << 14;
const HEADER_BYTES: usize = 4;

/// Malformed attributes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AttrError {
    /// The bytes end inside an attribute's header.
    #[error("an attribute's header is cut to {left} of 4 bytes")]
    Header {
        /// Bytes left.
        left: usize,
    },
    /// The length field is less than the header that it includes, or points past the message.
    #[error("attribute {kind} claims {claimed} bytes, but only {left} remain")]
    Length {
        /// The attribute's type.
        kind: u16,
        /// Value of its length field.
        claimed: usize,
        /// Bytes left.
        left: usize,
    },
    /// The payload's size differs from the size that the kernel uses for this type.
    #[error("attribute {kind} has {got} bytes instead of {expected}")]
    Size {
        /// The attribute's type.
        kind: u16,
        /// The size that the kernel uses.
        expected: usize,
        /// The size received.
        got: usize,
    },
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr<'a> {
    /// Its type, without the two flag bits.
    pub kind: u16,
    /// Its payload.
    pub payload: &'a [u8],
}

impl<'a> Attr<'a> {
    /// Iterates over the attributes inside. The "nested" flag is ignored: older kernels did not set it on all
    /// of them.
    #[inline]
    pub fn nested(&self) -> Attrs<'a> {
        Attrs::new(self.payload)
    }

    /// The first nested attribute of this type.
    pub fn find(&self, kind: u16) -> Result<Option<Attr<'a>>, AttrError> {
        for attr in self.nested() {
            let attr = attr?;
            if attr.kind == kind {
                return Ok(Some(attr));
            }
        }
        Ok(None)
    }

    /// The payload of an attribute whose size is known.
    #[inline]
    pub fn array<const N: usize>(&self) -> Result<[u8; N], AttrError> {
        self.payload.try_into().map_err(|_| AttrError::Size {
            kind: self.kind,
            expected: N,
            got: self.payload.len(),
        })
    }

    /// A single byte.
    #[inline]
    pub fn u8(&self) -> Result<u8, AttrError> {
        self.array().map(u8::from_be_bytes)
    }

    /// A number in network order.
    #[inline]
    pub fn be16(&self) -> Result<u16, AttrError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number in network order.
    #[inline]
    pub fn be32(&self) -> Result<u32, AttrError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number in network order.
    #[inline]
    pub fn be64(&self) -> Result<u64, AttrError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A string, without the zero byte at its end. It may not be UTF-8.
    #[inline]
    pub fn string(&self) -> &'a [u8] {
        let end = self.payload.iter().position(|b| *b == 0);
        &self.payload[..end.unwrap_or(self.payload.len())]
    }
}

/// An iterator over attributes; ends after the first error.
#[derive(Clone, Debug)]
pub struct Attrs<'a> {
    rest: &'a [u8],
}

impl<'a> Attrs<'a> {
    /// Iterates over the attributes in these bytes.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[cold]
    fn fail(&mut self, error: AttrError) -> Option<Result<Attr<'a>, AttrError>> {
        self.rest = &[];
        Some(Err(error))
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = Result<Attr<'a>, AttrError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let left = self.rest.len();
        let &[l0, l1, k0, k1, ..] = self.rest else {
            return if left == 0 {
                None
            } else {
                self.fail(AttrError::Header { left })
            };
        };
        let claimed = usize::from(u16::from_ne_bytes([l0, l1]));
        let kind = u16::from_ne_bytes([k0, k1]) & !(NLA_F_NESTED | NLA_F_NET_BYTEORDER);
        if claimed < HEADER_BYTES || claimed > left {
            return self.fail(AttrError::Length { kind, claimed, left });
        }
        let payload = &self.rest[HEADER_BYTES..claimed];
        // The last attribute of a message may lack the padding to four bytes.
        self.rest = &self.rest[claimed.next_multiple_of(4).min(left)..];
        Some(Ok(Attr { kind, payload }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn type_flags_and_padding_are_skipped() {
        let bytes = [5, 0, 3, 0x80, 7, 0, 0, 0, 6, 0, 1, 0x40, 1, 2];
        let attrs: Vec<_> = Attrs::new(&bytes).map(Result::unwrap).collect();
        assert_eq!(
            attrs[0],
            Attr {
                kind: 3,
                payload: &[7]
            }
        );
        assert_eq!(attrs[0].u8(), Ok(7));
        assert_eq!(attrs[1].be16(), Ok(0x0102));
        assert_eq!(
            attrs[1].be32(),
            Err(AttrError::Size {
                kind: 1,
                expected: 4,
                got: 2
            })
        );
        assert_eq!(attrs.len(), 2);
    }

    #[test]
    fn an_invalid_length_is_an_error_and_the_end() {
        for (bytes, error) in [
            (&[1u8, 0][..], AttrError::Header { left: 2 }),
            (
                &[3, 0, 9, 0],
                AttrError::Length {
                    kind: 9,
                    claimed: 3,
                    left: 4,
                },
            ),
            (
                &[9, 0, 9, 0, 1],
                AttrError::Length {
                    kind: 9,
                    claimed: 9,
                    left: 5,
                },
            ),
        ] {
            let mut attrs = Attrs::new(bytes);
            assert_eq!(attrs.next(), Some(Err(error)));
            assert_eq!(attrs.next(), None);
        }
    }

    #[test]
    fn a_string_ends_at_its_zero_byte_or_its_end() {
        assert_eq!(
            Attr {
                kind: 1,
                payload: b"ftp\0x"
            }
            .string(),
            b"ftp"
        );
        assert_eq!(
            Attr {
                kind: 1,
                payload: b"ftp"
            }
            .string(),
            b"ftp"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Attrs::new(&bytes).count() <= bytes.len() / 4 + 1);
        }
    }
}
