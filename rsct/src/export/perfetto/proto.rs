//! Protocol buffers: the wire types that Perfetto's packets need. A message is appended in place, without a tree before it.

const VARINT: u64 = 0;
const BYTES: u64 = 2;

/// Appends a field with an unsigned number.
pub(super) fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

/// Appends a field with a signed number (`int32`, `int64`).
pub(super) fn signed(out: &mut Vec<u8>, field: u32, value: i64) {
    number(out, field, value.cast_unsigned());
}

/// Appends a field with a text.
pub(super) fn text(out: &mut Vec<u8>, field: u32, value: &str) {
    key(out, field, BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

/// Appends a field with the message that `write` appends.
pub(super) fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, field, BYTES);
    let start = out.len();
    write(out);
    let mut length = Vec::with_capacity(MOST_BYTES);
    varint(&mut length, (out.len() - start) as u64);
    out.splice(start..start, length);
}

/// The bytes of the largest varint.
const MOST_BYTES: usize = 10;

fn key(out: &mut Vec<u8>, field: u32, wire_type: u64) {
    varint(out, u64::from(field) << 3 | wire_type);
}

/// Seven bits in each byte, the lowest first; the eighth bit of all but the last is set.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A reader of the wire format, for tests.
#[cfg(test)]
pub(super) mod decoded {
    /// A field's value.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) enum Value {
        Number(u64),
        Bytes(Vec<u8>),
    }

    /// The fields of a message in their order; none if the bytes are no message.
    pub(crate) fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, Value)>> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let value = match key & 7 {
                0 => Value::Number(varint(&mut bytes)?),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?).ok()?;
                    let (value, rest) = bytes.split_at_checked(length)?;
                    bytes = rest;
                    Value::Bytes(value.to_vec())
                }
                _ => return None,
            };
            fields.push((u32::try_from(key >> 3).ok()?, value));
        }
        Some(fields)
    }

    fn varint(bytes: &mut &[u8]) -> Option<u64> {
        let mut value: u128 = 0;
        for shift in (0..70).step_by(7) {
            let (first, rest) = bytes.split_first()?;
            *bytes = rest;
            value |= u128::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return u64::try_from(value).ok();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        decoded::{Value, fields},
        *,
    };

    #[test]
    fn bytes_are_those_of_the_specification() {
        // https://protobuf.dev/programming-guides/encoding/: field 1 is 150; field 2 is "testing".
        let mut out = Vec::new();
        number(&mut out, 1, 150);
        text(&mut out, 2, "testing");
        assert_eq!(out, b"\x08\x96\x01\x12\x07testing");
        out.clear();
        signed(&mut out, 1, -2);
        assert_eq!(out, b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    }

    #[derive(Clone, Debug)]
    enum Field {
        Number(u64),
        Signed(i64),
        Text(String),
        Message(Vec<(u32, Field)>),
    }

    fn any_field() -> impl Strategy<Value = Field> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(Field::Number),
            any::<i64>().prop_map(Field::Signed),
            ".{0,200}".prop_map(Field::Text),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            proptest::collection::vec((1_u32..1 << 20, inner), 0..6).prop_map(Field::Message)
        })
    }

    fn append(out: &mut Vec<u8>, field: u32, value: &Field) {
        match value {
            Field::Number(value) => number(out, field, *value),
            Field::Signed(value) => signed(out, field, *value),
            Field::Text(value) => text(out, field, value),
            Field::Message(inner) => message(out, field, |out| {
                inner.iter().for_each(|(field, value)| append(out, *field, value));
            }),
        }
    }

    fn is_read(read: &Value, written: &Field) -> bool {
        match (read, written) {
            (Value::Number(read), Field::Number(written)) => read == written,
            (Value::Number(read), Field::Signed(written)) => read.cast_signed() == *written,
            (Value::Bytes(read), Field::Text(written)) => read == written.as_bytes(),
            (Value::Bytes(read), Field::Message(written)) => {
                let read = fields(read).unwrap();
                read.len() == written.len()
                    && read
                        .iter()
                        .zip(written)
                        .all(|((is, value), (field, written))| is == field && is_read(value, written))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn messages_are_read_as_written(all in proptest::collection::vec((1_u32..1 << 20, any_field()), 0..6)) {
            let mut out = Vec::new();
            append(&mut out, 1, &Field::Message(all.clone()));
            let read = fields(&out).unwrap();
            prop_assert_eq!(read.len(), 1);
            prop_assert!(is_read(&read[0].1, &Field::Message(all)));
        }
    }
}
