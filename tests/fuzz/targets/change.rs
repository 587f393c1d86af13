//! A request to change an entry: read, written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::netlink::conntrack::Change;
use rsct_fuzz::{canonical, message};

fuzz_target!(|attributes: &[u8]| {
    let Ok(change) = Change::parse(attributes) else {
        return;
    };
    let written = message(|out| change.emit(out));
    let again = Change::parse(&written[4..]).expect("what is written can be read");
    let canonical = Change {
        orig: change.orig.map(canonical),
        reply: change.reply.map(canonical),
        master: change.master.map(canonical),
        ..change
    };
    assert_eq!(again, canonical);
    assert_eq!(message(|out| again.emit(out)), written);
});
