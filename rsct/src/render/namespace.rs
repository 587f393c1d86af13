//! The column that says which namespace a line is of.

use crate::kernel::netns::Netns;

/// Appends a namespace's name, filled up to the column's width, and a space; nothing where there is no column.
pub fn column(out: &mut Vec<u8>, netns: &Netns, width: Option<usize>) {
    let Some(width) = width else { return };
    let end = out.len() + width.max(netns.name.len()) + 1;
    out.extend_from_slice(netns.name.as_bytes());
    out.resize(end, b' ');
}
