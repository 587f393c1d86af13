//! The count of a cause's key.

use rsct_common::record::{CauseCount, CauseKey, STACK_FRAMES, TEXT_BYTES};
use serde::{Deserialize, Serialize};

/// The count of a cause's key: exact, even if records were lost.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(from = "Members", into = "Members")]
pub(crate) struct KeyCount {
    /// The key.
    pub key: CauseKey,
    /// The count, and the kernel's text.
    pub count: CauseCount,
}

/// The same without zeros at the end.
#[derive(Serialize, Deserialize)]
struct Members {
    family: u8,
    what: u8,
    #[serde(default)]
    more: u16,
    netns: u32,
    #[serde(default)]
    detail: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stack: Vec<u64>,
    count: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
}

impl From<KeyCount> for Members {
    fn from(counted: KeyCount) -> Self {
        let KeyCount { key, count } = counted;
        let frames = key.stack.iter().rposition(|frame| *frame != 0);
        let bytes = count.text.iter().position(|byte| *byte == 0);
        Self {
            family: key.family,
            what: key.what,
            more: key.more,
            netns: key.netns,
            detail: key.detail,
            stack: key.stack[..frames.map_or(0, |last| last + 1)].to_vec(),
            count: count.count,
            text: String::from_utf8_lossy(&count.text[..bytes.unwrap_or(TEXT_BYTES)]).into_owned(),
        }
    }
}

impl From<Members> for KeyCount {
    fn from(members: Members) -> Self {
        let mut stack = [0; STACK_FRAMES];
        for (frame, from) in stack.iter_mut().zip(members.stack) {
            *frame = from;
        }
        let mut text = [0; TEXT_BYTES];
        for (byte, from) in text.iter_mut().zip(members.text.bytes()) {
            *byte = from;
        }
        Self {
            key: CauseKey {
                family: members.family,
                what: members.what,
                more: members.more,
                netns: members.netns,
                detail: members.detail,
                stack,
            },
            count: CauseCount {
                count: members.count,
                text,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_survives_json() {
        let mut counted = KeyCount {
            key: CauseKey {
                family: 1,
                what: 2,
                more: 3,
                netns: 4,
                detail: u64::MAX,
                stack: [0; STACK_FRAMES],
            },
            count: CauseCount {
                count: 5,
                text: [0; TEXT_BYTES],
            },
        };
        counted.key.stack[..2].copy_from_slice(&[u64::MAX, 7]);
        counted.count.text[..4].copy_from_slice(b"text");
        let json = serde_json::to_string(&counted).unwrap();
        assert!(json.contains("\"stack\":[18446744073709551615,7]"), "{json}");
        let read: KeyCount = serde_json::from_str(&json).unwrap();
        assert_eq!(read.key, counted.key);
        assert_eq!((read.count.count, read.count.text), (5, counted.count.text));
    }
}
