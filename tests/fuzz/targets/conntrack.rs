//! A line of a file for `conntrack -R`: its words, parsed as conntrack's command line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::conntrack::can_be_meant;

fuzz_target!(|line: &[u8]| {
    if can_be_meant(line) {
        // A blank in front changes nothing.
        assert!(can_be_meant(&[b"\t", line].concat()));
    }
});
