//! Recordings of version 1 of the format, as rsct 0.1.0 wrote them. They are never written anew: each later rsct reads them.

use std::fs;

use super::{is_kept, path, shown};

#[test]
fn recordings_of_version_1_have_the_kept_text() {
    for (name, checksum) in [
        ("version-1/causes", 0x6100_b570),
        ("version-1/durations", 0xec44_5436),
    ] {
        let bytes = fs::read(path(name, "rsct")).unwrap();
        // The version of the format, and the checksum of the whole file.
        assert_eq!(bytes.get(16..20), Some(&[1, 0, 0, 0][..]), "{name}");
        assert_eq!(crc32fast::hash(&bytes), checksum, "{name}");
        is_kept(name, "txt", &shown::text(name));
    }
}
