//! `/etc/protocols`.

use std::{fs, io};

const FILE: &str = "/etc/protocols";

/// The file's text. Its comments may hold any bytes.
pub(crate) fn text() -> io::Result<String> {
    fs::read(FILE).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProtocolLine<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its number, which may be too large for a packet.
    pub(crate) number: u32,
    /// Its other names.
    pub(crate) aliases: Vec<&'a str>,
}

impl ProtocolLine<'_> {
    /// All its names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// The protocols of such a text; other lines are skipped.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = ProtocolLine<'_>> {
    text.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        Some(ProtocolLine {
            name: words.next()?,
            number: words.next()?.parse().ok()?,
            aliases: words.collect(),
        })
    })
}

/// The number of the protocol with exactly this name, as `getprotobyname` finds it.
pub(crate) fn number_of(text: &str, name: &[u8]) -> Option<u32> {
    lines(text)
        .find(|line| line.names().any(|known| known.as_bytes() == name))
        .map(|line| line.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_with_aliases_and_comments() {
        let text = "# comment\n  rdp 27 RDP # Reliable Data\nbroken\nno x\nbig 262#x\n";
        assert_eq!(number_of(text, b"rdp"), Some(27));
        assert_eq!(number_of(text, b"RDP"), Some(27));
        assert_eq!(number_of(text, b"Rdp"), None);
        assert_eq!(number_of(text, b"Reliable"), None);
        assert_eq!(number_of(text, b"big"), Some(262));
        assert_eq!(lines(text).count(), 2);
    }
}
