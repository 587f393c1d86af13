//! Names of policies.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use crate::{cli::UsageError, outside::shown};

/// `CTNL_TIMEOUT_NAME_MAX` (include/uapi/linux/netfilter/nfnetlink_cttimeout.h), less the zero at its end.
const MOST_BYTES: usize = 31;

/// Checks the name of an existing policy.
pub(super) fn existing(name: &OsStr) -> Result<&[u8], UsageError> {
    let bytes = name.as_bytes();
    if (1..=MOST_BYTES).contains(&bytes.len()) {
        Ok(bytes)
    } else {
        Err(UsageError(format!(
            "\"{}\": a policy's name has 1 to {MOST_BYTES} bytes, and this has {}",
            shown(bytes),
            bytes.len()
        )))
    }
}

/// Checks the name of a new policy: it must be printable.
pub(super) fn new(name: &OsStr) -> Result<&[u8], UsageError> {
    let bytes = existing(name)?;
    match name.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(bytes),
        _ => Err(UsageError(format!(
            "\"{}\": a policy's name should be text, without control characters",
            shown(bytes)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_text() {
        for (name, may_exist, may_be_made) in [
            (&b"udp-policy1"[..], true, true),
            ("für UDP".as_bytes(), true, true),
            (&[b'x'; 31], true, true),
            (&[b'x'; 32], false, false),
            (b"", false, false),
            (b"a\nb", true, false),
            (b"a\x1b[2J", true, false),
            (b"\xff", true, false),
        ] {
            let name = OsStr::from_bytes(name);
            assert_eq!(existing(name).is_ok(), may_exist, "{name:?}");
            assert_eq!(new(name).is_ok(), may_be_made, "{name:?}");
        }
    }
}
