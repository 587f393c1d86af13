//! One BTF object, `vmlinux` or a module, indexed in a single pass.
//!
//! A kernel has some 150,000 types and tracing should start at once. So the pass only records where each type
//! starts and chains the names that can be looked up into buckets; it copies nothing and allocates no
//! strings.

use std::borrow::Cow;
use std::ops::Range;

use super::error::BtfError;
use super::raw::{self, Head, Kind, Type};

/// End of a chain. Id 0 is `void`, which has no name.
const NONE: u32 = 0;

/// One object's bytes and the index over them.
pub(super) struct Object {
    name: String,
    bytes: Cow<'static, [u8]>,
    types: Range<usize>,
    strings: Range<usize>,
    /// Id of the first type in this object: 1, or for a module the first after vmlinux's.
    first_id: u32,
    /// Name offset of the first byte of this object's string section.
    first_string: u32,
    /// Offset of each type in the type section.
    starts: Vec<u32>,
    /// The latest type in each name bucket.
    buckets: Vec<u32>,
    /// For each type the previous one in its bucket.
    previous: Vec<u32>,
    /// Every enum, named or not: values of anonymous enums are looked up by value name.
    enums: Vec<u32>,
}

impl Object {
    /// Indexes `bytes`. A module's ids and string offsets continue where its base's end (`btf_parse_module`
    /// in kernel/bpf/btf.c).
    pub(super) fn parse(
        name: &str,
        bytes: impl Into<Cow<'static, [u8]>>,
        base: Option<&Self>,
    ) -> Result<Self, BtfError> {
        let bytes = bytes.into();
        let malformed = |what: String| BtfError::Malformed {
            object: name.to_owned(),
            what,
        };
        let (types, strings) = sections(&bytes).map_err(malformed)?;
        let (first_id, first_string) = match base {
            Some(base) => {
                let strings = u32::try_from(base.strings.len()).unwrap_or(u32::MAX);
                (base.end_id(), base.first_string.saturating_add(strings))
            }
            None => (1, 0),
        };
        // Types take 24 bytes or more on average.
        let expected = types.len() / 24;
        let mut object = Self {
            name: name.to_owned(),
            bytes,
            types,
            strings,
            first_id,
            first_string,
            starts: Vec::with_capacity(expected),
            buckets: vec![NONE; (expected / 2).next_power_of_two()],
            previous: Vec::with_capacity(expected),
            enums: Vec::new(),
        };
        object.index(base).map_err(malformed)?;
        Ok(object)
    }

    fn index(&mut self, base: Option<&Self>) -> Result<(), String> {
        let section = &self.bytes[self.types.clone()];
        let strings = &self.bytes[self.strings.clone()];
        // A local variable: a struct field's length would be stored to memory for each type.
        let mut starts = std::mem::take(&mut self.starts);
        let mut previous = std::mem::take(&mut self.previous);
        let buckets = self.buckets.as_mut_slice();
        let mask = buckets.len() - 1;
        let mut at = 0;
        let mut id = self.first_id;
        while at < section.len() {
            let (head, next) = Head::at(section, at)
                .and_then(|head| Some((head, head.end(section, at)?)))
                .ok_or_else(|| describe_bad_type(section, at, id))?;
            let mut namesake = NONE;
            if head.kind.is_looked_up() && head.name_offset != 0 {
                let name = match head.name_offset.checked_sub(self.first_string) {
                    Some(offset) => strings.get(offset as usize..),
                    None => base.and_then(|base| base.string_tail(head.name_offset)),
                };
                let name =
                    name.ok_or_else(|| format!("the name of type {id} is outside the string section"))?;
                namesake = std::mem::replace(&mut buckets[hash(name) as usize & mask], id);
            }
            if matches!(head.kind, Kind::Enum | Kind::Enum64) {
                self.enums.push(id);
            }
            starts.push(u32::try_from(at).map_err(|_| "it is larger than 4 GiB".to_owned())?);
            previous.push(namesake);
            at = next;
            id = id.checked_add(1).ok_or("it has more types than ids")?;
        }
        (self.starts, self.previous) = (starts, previous);
        Ok(())
    }

    /// `vmlinux`, or the module's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The id after the last type in this object.
    fn end_id(&self) -> u32 {
        // `index()` checked that the sum fits.
        self.first_id + u32::try_from(self.starts.len()).unwrap_or(0)
    }

    /// The type with this id, if it is in this object and not in its base.
    pub(super) fn ty(&self, id: u32) -> Option<Type<'_>> {
        let start = *self.starts.get(id.checked_sub(self.first_id)? as usize)?;
        Type::at(&self.bytes[self.types.clone()], start as usize)
    }

    /// The string section from this offset on, if it is in this object and not in its base.
    pub(super) fn string_tail(&self, offset: u32) -> Option<&[u8]> {
        let offset = offset.checked_sub(self.first_string)? as usize;
        self.bytes[self.strings.clone()].get(offset..)
    }

    /// Types in this name's bucket, latest first; the caller must compare names.
    pub(super) fn candidates(&self, name: &str) -> impl Iterator<Item = u32> + '_ {
        let bucket = hash(name.as_bytes()) as usize & (self.buckets.len() - 1);
        let first = self.buckets[bucket];
        std::iter::successors((first != NONE).then_some(first), |id| {
            let previous = self.previous[(id - self.first_id) as usize];
            (previous != NONE).then_some(previous)
        })
    }

    /// Every enum of this object.
    pub(super) fn enums(&self) -> &[u32] {
        &self.enums
    }
}

/// The ranges of the types and the strings, from `struct btf_header`.
fn sections(bytes: &[u8]) -> Result<(Range<usize>, Range<usize>), String> {
    let Some(header) = bytes.get(..raw::HEADER_BYTES) else {
        return Err(format!("{} bytes are too few for a header", bytes.len()));
    };
    let magic = u16::from_ne_bytes([header[0], header[1]]);
    if magic != raw::MAGIC {
        return Err(format!(
            "it starts with {magic:#06x}, not with {:#06x}",
            raw::MAGIC
        ));
    }
    if header[2] != 1 {
        return Err(format!(
            "it has version {}, and only version 1 is supported",
            header[2]
        ));
    }
    let field =
        |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
    let header_bytes = field(4);
    let section = |what: &str, offset: usize, length: usize| {
        let start = header_bytes.checked_add(offset);
        let end = start.and_then(|start| start.checked_add(length));
        match (start, end) {
            (Some(start), Some(end)) if header_bytes >= raw::HEADER_BYTES && end <= bytes.len() => {
                Ok(start..end)
            }
            _ => Err(format!("its {what} section is outside its {} bytes", bytes.len())),
        }
    };
    let strings = section("string", field(16), field(20))?;
    if strings.is_empty() || bytes[strings.end - 1] != 0 {
        return Err("its string section does not end with a zero byte".to_owned());
    }
    Ok((section("type", field(8), field(12))?, strings))
}

fn describe_bad_type(section: &[u8], at: usize, id: u32) -> String {
    match section.get(at + 4..at + 8) {
        Some(info) => {
            let info = u32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
            match Kind::from_info(info) {
                Some(kind) => format!("type {id} ({kind:?}) exceeds the type section"),
                None => format!("type {id} has the unknown kind {}", raw::kind_number(info)),
            }
        }
        None => format!("the type section ends inside type {id}"),
    }
}

/// Hashes a name's first 16 bytes, eight at a time, in the same walk that finds its end: there are 70,000
/// names. Few of the names looked up are longer and share their first 16 bytes with another.
#[inline]
fn hash(name: &[u8]) -> u32 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut hash = 0_u64;
    for at in [0, 8] {
        let word = word(name.get(at..).unwrap_or_default());
        // Bit 7 of the lowest zero byte; borrows can only mark bytes above it.
        let zeros = word.wrapping_sub(LOW) & !word & HIGH;
        // All bytes below that one; all eight if there is none.
        let word = word & ((zeros.isolate_lowest_one() >> 7).wrapping_sub(1));
        hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if zeros != 0 {
            break;
        }
    }
    // The product's upper half is better mixed.
    (hash >> 32) as u32
}

/// The first eight bytes, with zeros after the end.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => {
            let mut last = [0; 8];
            last[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(last)
        }
    }
}
