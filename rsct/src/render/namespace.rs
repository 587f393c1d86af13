//! Which namespace a line or an object is of.

use std::io::Write as _;

use super::bytes;
use crate::kernel::netns::Netns;

/// Appends a namespace's name, filled up to the column's width, and a space; nothing where there is no column.
pub fn column(out: &mut Vec<u8>, netns: &Netns, width: Option<usize>) {
    let Some(width) = width else { return };
    let end = out.len() + width.max(netns.name.len()) + 1;
    out.extend_from_slice(netns.name.as_bytes());
    out.resize(end, b' ');
}

/// Appends a namespace's members of a JSON object that goes on; nothing where it is not named.
pub fn json(out: &mut Vec<u8>, netns: Option<&Netns>) {
    if let Some(netns) = netns {
        out.extend_from_slice(b"\"netns\":\"");
        bytes::json_text(out, netns.name.as_bytes());
        // Writing to a Vec can't fail.
        let _ = write!(out, "\",\"netns_inode\":{},", netns.inode);
    }
}
