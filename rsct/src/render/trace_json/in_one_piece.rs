//! Members with few values, each in one piece.

/// A packet's hook, as a member in one piece.
pub(super) fn hook_member(hook: u8) -> &'static [u8] {
    match hook {
        0 => b",\"hook\":\"PRE_ROUTING\"",
        1 => b",\"hook\":\"LOCAL_IN\"",
        2 => b",\"hook\":\"FORWARD\"",
        3 => b",\"hook\":\"LOCAL_OUT\"",
        4 => b",\"hook\":\"POST_ROUTING\"",
        _ => b",\"hook\":\"UNKNOWN\"",
    }
}

/// A packet's ctinfo and direction, as two members in one piece.
pub(super) fn ctinfo_members(ctinfo: u8) -> &'static [u8] {
    match ctinfo {
        0 => b",\"ctinfo\":\"ESTABLISHED\",\"dir\":\"orig\"",
        1 => b",\"ctinfo\":\"RELATED\",\"dir\":\"orig\"",
        2 => b",\"ctinfo\":\"NEW\",\"dir\":\"orig\"",
        3 => b",\"ctinfo\":\"ESTABLISHED\",\"dir\":\"reply\"",
        4 => b",\"ctinfo\":\"RELATED\",\"dir\":\"reply\"",
        5 => b",\"ctinfo\":\"NEW\",\"dir\":\"reply\"",
        7 => b",\"ctinfo\":\"UNTRACKED\"",
        _ => b",\"ctinfo\":\"UNKNOWN\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    #[test]
    fn members_in_one_piece_have_the_names() {
        for hook in 0..=5 {
            let expected = format!(",\"hook\":\"{}\"", names::hook(hook));
            assert_eq!(hook_member(hook), expected.as_bytes());
        }
        for ctinfo in 0..=5 {
            let dir = if names::is_reply(ctinfo) { "reply" } else { "orig" };
            let expected = format!(",\"ctinfo\":\"{}\",\"dir\":\"{dir}\"", names::ctinfo(ctinfo));
            assert_eq!(ctinfo_members(ctinfo), expected.as_bytes());
        }
    }
}
