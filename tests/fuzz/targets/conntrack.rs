//! A line of a file for `conntrack -R`: its words, and the old command line that they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::conntrack::can_be_meant;

fuzz_target!(|line: &[u8]| {
    if can_be_meant(line) {
        // A blank in front means nothing.
        assert!(can_be_meant(&[b"\t", line].concat()));
    }
});
