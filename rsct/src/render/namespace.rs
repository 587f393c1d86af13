//! The network namespace of a line or an object.

use std::io::Write as _;

use crate::kernel::netns::NetnsName;

/// A longer name shifts its own line instead of widening the column.
const WIDEST: usize = 32;

/// The width of a column for these names.
pub(crate) fn width<'a>(namespaces: impl Iterator<Item = &'a NetnsName>) -> usize {
    let widths = namespaces.map(|netns| netns.name.to_string().chars().count());
    widths.max().unwrap_or(0).min(WIDEST)
}

/// Appends a namespace's name, padded to the column's width, and a space; nothing without a column.
pub(crate) fn column(out: &mut Vec<u8>, netns: &NetnsName, width: Option<usize>) {
    if let Some(width) = width {
        // Writing to a Vec can't fail.
        let _ = write!(out, "{:width$} ", netns.name);
    }
}
