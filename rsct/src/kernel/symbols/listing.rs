//! Reads /proc/kallsyms line by line. The kernel needs hundreds of millions of instructions to print it, so
//! it is read only if the kernel has no lookup helpers.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
};

use super::SymbolsError;

const KALLSYMS: &str = "/proc/kallsyms";

/// A line such as `ffffffffc0a01000 t init_conntrack.constprop.0\t[nf_conntrack]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    address: &'a str,
    kind: &'a str,
    /// The symbol's name.
    pub(super) name: &'a str,
    /// The module it is in; `None` for the kernel itself.
    pub(super) module: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        Some(Self {
            address: words.next()?,
            kind: words.next()?,
            name: words.next()?,
            module: words
                .next()
                .and_then(|word| word.strip_prefix('[')?.strip_suffix(']')),
        })
    }

    /// Returns whether it is a function.
    pub(super) fn is_function(&self) -> bool {
        matches!(self.kind, "t" | "T" | "w" | "W")
    }

    /// Its address; `None` if the kernel hides it.
    pub(super) fn address(&self) -> Option<u64> {
        let address = u64::from_str_radix(self.address, 16).ok()?;
        (address != 0).then_some(address)
    }
}

/// Opens the running kernel's list.
pub(super) fn open() -> Result<impl BufRead, SymbolsError> {
    let file = File::open(KALLSYMS).map_err(SymbolsError)?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

/// Calls `take` for each line.
pub(super) fn for_each(mut lines: impl BufRead, mut take: impl FnMut(Line<'_>)) -> Result<(), SymbolsError> {
    let mut line = String::new();
    while read(&mut lines, &mut line)? {
        if let Some(line) = Line::parse(&line) {
            take(line);
        }
    }
    Ok(())
}

fn read(lines: &mut impl BufRead, line: &mut String) -> Result<bool, io::Error> {
    line.clear();
    Ok(lines.read_line(line)? > 0)
}
