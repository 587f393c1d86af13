//! The network namespace of a line or an object.

use std::io::Write as _;

use super::bytes;
use crate::kernel::netns::Netns;

/// A longer name shifts its own line instead of widening the column.
const WIDEST: usize = 32;

/// The width of a column for these names.
pub fn width<'a>(namespaces: impl Iterator<Item = &'a Netns>) -> usize {
    let widths = namespaces.map(|netns| netns.name.to_string().chars().count());
    widths.max().unwrap_or(0).min(WIDEST)
}

/// Appends a namespace's name, padded to the column's width, and a space; nothing without a column.
pub fn column(out: &mut Vec<u8>, netns: &Netns, width: Option<usize>) {
    if let Some(width) = width {
        // Writing to a Vec can't fail.
        let _ = write!(out, "{:width$} ", netns.name);
    }
}

/// Appends a namespace's members of a JSON object, each with its comma; nothing without a namespace.
pub fn json(out: &mut Vec<u8>, netns: Option<&Netns>) {
    if let Some(netns) = netns {
        out.extend_from_slice(b"\"netns\":\"");
        bytes::json_text(out, netns.name.as_str().as_bytes());
        // Writing to a Vec can't fail.
        let _ = write!(out, "\",\"netns_inode\":{},", netns.inode);
    }
}
