//! Protocols without options in conntrack.

use super::{OptionTarget, Problem, ProtocolOptions};
use crate::conntrack::object::{EntryAttr, TypedEntry};

fn take(_: u8, _: &[u8], _: &mut OptionTarget, _: &mut u32) -> Result<(), Problem> {
    Ok(())
}

/// If addresses of the reply direction were given, its protocol is known too.
fn finish(entry: &mut TypedEntry) {
    let set = entry.set;
    if set.has(EntryAttr::ReplL3) && set.has(EntryAttr::OrigL4) && !set.has(EntryAttr::ReplL4) {
        entry.set_reply_protocol(entry.orig.protonum);
    }
}

pub(super) static UNKNOWN: ProtocolOptions = ProtocolOptions {
    name: "unknown",
    number: 0,
    long: &[],
    help: "  no options (unsupported)\n",
    names: &[],
    legality: |_| b"",
    take,
    pairs: None,
    finish,
};
