//! Notes: a name, and JSON that the format does not interpret.

use super::format::MAX_FRAME_BYTES;

/// A note of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// The name, for example `start`. A reader passes on names that it does not know.
    pub name: &'a str,
    /// The JSON, unchecked.
    pub json: &'a [u8],
}

impl<'a> Note<'a> {
    /// Reads the payload of a frame.
    pub(super) fn parse(raw: &'a [u8]) -> Option<Self> {
        let (size, rest) = raw.split_first()?;
        let (name, json) = rest.split_at_checked(usize::from(*size))?;
        let name = str::from_utf8(name).ok()?;
        Some(Self { name, json })
    }

    /// Appends the payload of a frame. False if the note is too long for one.
    pub(super) fn emit(&self, raw: &mut Vec<u8>) -> bool {
        let Ok(size) = u8::try_from(self.name.len()) else {
            return false;
        };
        if 1 + self.name.len() + self.json.len() > MAX_FRAME_BYTES {
            return false;
        }
        raw.push(size);
        raw.extend(self.name.as_bytes());
        raw.extend(self.json);
        true
    }
}
