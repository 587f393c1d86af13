use super::{
    policy::{Policy, Timeouts},
    request::{self, How},
};

/// As sent by `nfct add timeout t1 inet udp unreplied 10` (strace), except the sequence number.
const ADD: [u8; 56] = [
    56, 0, 0, 0, 0, 8, 5, 4, 7, 0, 0, 0, 0, 0, 0, 0, // struct nlmsghdr
    0, 0, 0, 0, // struct nfgenmsg
    7, 0, 1, 0, b't', b'1', 0, 0, // CTA_TIMEOUT_NAME
    6, 0, 2, 0, 0, 2, 0, 0, // CTA_TIMEOUT_L3PROTO
    5, 0, 3, 0, 17, 0, 0, 0, // CTA_TIMEOUT_L4PROTO
    12, 0, 4, 128, 8, 0, 1, 0, 0, 0, 0, 10, // CTA_TIMEOUT_DATA
];

/// As received by `nfct get timeout t1` (strace) on Linux 6.18.
pub(crate) const PAYLOAD: [u8; 56] = [
    0, 0, 0, 0, // struct nfgenmsg
    7, 0, 1, 0, b't', b'1', 0, 0, // CTA_TIMEOUT_NAME
    6, 0, 2, 0, 0, 2, 0, 0, // CTA_TIMEOUT_L3PROTO
    5, 0, 3, 0, 17, 0, 0, 0, // CTA_TIMEOUT_L4PROTO
    8, 0, 5, 0, 0, 0, 0, 1, // CTA_TIMEOUT_USE
    20, 0, 4, 128, 8, 0, 1, 0, 0, 0, 0, 10, 8, 0, 2, 0, 0, 0, 0, 120, // CTA_TIMEOUT_DATA
];

#[test]
fn add_equals_nfcts_request() {
    let timeouts = Timeouts {
        l3proto: 2,
        l4proto: 17,
        values: vec![(1, 10)],
    };
    assert_eq!(request::new(b"t1", &timeouts, How::Create, 7), ADD);
}

#[test]
fn a_policy_is_read() {
    let policy = Policy {
        name: Some(b"t1".to_vec()),
        timeouts: Timeouts {
            l3proto: 2,
            l4proto: 17,
            values: vec![(1, 10), (2, 120)],
        },
        uses: Some(1),
    };
    assert_eq!(Policy::parse(&PAYLOAD), Ok(policy));
    for end in 0..PAYLOAD.len() {
        // A truncated message has fewer values or is an error, and causes no panic.
        let _ = Policy::parse(&PAYLOAD[..end]);
    }
}
