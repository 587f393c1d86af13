//! A line of a file for `conntrack -R`: its words, parsed as conntrack's command line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::conntrack::is_valid_line;

fuzz_target!(|line: &[u8]| {
    if is_valid_line(line) {
        // A blank in front has no effect.
        assert!(is_valid_line(&[b"\t", line].concat()));
    }
});
