//! A file of label names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::labels::{LabelMap, MAX_BIT};

fuzz_target!(|text: &[u8]| {
    let map = LabelMap::parse(text);
    for bit in 0..=MAX_BIT {
        assert_eq!(map.find(&map.word(bit)), Some(bit));
        if let Some(name) = map.name(bit) {
            assert_eq!(map.bit(name), Some(bit));
            assert!(!name.chars().any(char::is_control), "{name:?}");
        }
    }
});
