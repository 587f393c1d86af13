//! Protocols without options in conntrack.

use super::{Problem, Protocol, Target};
use crate::conntrack::object::{Attr, Object};

fn take(_: u8, _: &[u8], _: &mut Target, _: &mut u32) -> Result<(), Problem> {
    Ok(())
}

/// If addresses of the reply direction were given, its protocol is known too.
fn finish(entry: &mut Object) {
    let set = entry.set;
    if set.has(Attr::ReplL3) && set.has(Attr::OrigL4) && !set.has(Attr::ReplL4) {
        entry.set_reply_protocol(entry.orig.protonum);
    }
}

pub(super) static UNKNOWN: Protocol = Protocol {
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
