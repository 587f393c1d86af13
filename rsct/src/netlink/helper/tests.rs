use super::{
    registered::{ExpectPolicy, Flows, Helper},
    request,
};

/// As sent by `nfct add helper ftp inet tcp` (strace), except the sequence number and uninitialized padding.
const ADD: [u8; 96] = [
    96, 0, 0, 0, 0, 9, 5, 4, 7, 0, 0, 0, 0, 0, 0, 0, // struct nlmsghdr
    0, 0, 0, 0, // struct nfgenmsg
    8, 0, 1, 0, b'f', b't', b'p', 0, // NFCTH_NAME
    8, 0, 5, 0, 0, 0, 0, 24, // NFCTH_PRIV_DATA_LEN
    20, 0, 2, 128, 6, 0, 1, 0, 0, 2, 0, 0, 5, 0, 2, 0, 6, 0, 0, 0, // NFCTH_TUPLE
    40, 0, 4, 128, // NFCTH_POLICY
    28, 0, 2, 128, 8, 0, 1, 0, b'f', b't', b'p', 0, // NFCTH_POLICY_SET
    8, 0, 2, 0, 0, 0, 0, 1, 8, 0, 3, 0, 0, 0, 1, 44, // its maximum and its timeout
    8, 0, 1, 0, 0, 0, 0, 1, // NFCTH_POLICY_SET_NUM
];

/// As received by `nfct get helper ftp` (strace) on Linux 6.12.
pub(crate) const PAYLOAD: [u8; 96] = [
    0, 0, 0, 0, // struct nfgenmsg
    8, 0, 1, 0, b'f', b't', b'p', 0, // NFCTH_NAME
    8, 0, 3, 0, 0, 0, 0, 0, // NFCTH_QUEUE_NUM
    20, 0, 2, 128, 6, 0, 1, 0, 0, 2, 0, 0, 5, 0, 2, 0, 6, 0, 0, 0, // NFCTH_TUPLE
    40, 0, 4, 128, 8, 0, 1, 0, 0, 0, 0, 1, // NFCTH_POLICY, NFCTH_POLICY_SET_NUM
    28, 0, 2, 128, 8, 0, 1, 0, b'f', b't', b'p', 0, // NFCTH_POLICY_SET
    8, 0, 2, 0, 0, 0, 0, 1, 8, 0, 3, 0, 0, 0, 1, 44, // its maximum and its timeout
    8, 0, 5, 0, 0, 0, 0, 24, // NFCTH_PRIV_DATA_LEN
    8, 0, 6, 0, 0, 0, 0, 0, // NFCTH_STATUS
];

fn ftp() -> Helper {
    Helper {
        name: b"ftp".to_vec(),
        flows: Flows {
            l3proto: 2,
            l4proto: 6,
        },
        policies: vec![ExpectPolicy {
            name: b"ftp".to_vec(),
            max: 1,
            timeout_s: 300,
        }],
        priv_data_len: 24,
        queue_num: 0,
        status: 0,
    }
}

#[test]
fn add_equals_nfcts_request() {
    assert_eq!(request::new(&ftp(), 7), ADD);
}

/// As sent by `nfct disable helper tns inet tcp` (strace).
#[test]
fn disable_equals_nfcts_request() {
    let sent = [
        56, 0, 0, 0, 0, 9, 5, 4, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // the headers
        8, 0, 1, 0, b't', b'n', b's', 0, // NFCTH_NAME
        20, 0, 2, 128, 6, 0, 1, 0, 0, 2, 0, 0, 5, 0, 2, 0, 6, 0, 0, 0, // NFCTH_TUPLE
        8, 0, 6, 0, 0, 0, 0, 0, // NFCTH_STATUS
    ];
    assert_eq!(request::disable(b"tns", ftp().flows, 7), sent);
}

/// As sent by `nfct get helper rpc inet` (strace): no protocol is 0.
#[test]
fn get_equals_nfcts_request() {
    let sent = [
        48, 0, 0, 0, 1, 9, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // the headers
        8, 0, 1, 0, b'r', b'p', b'c', 0, // NFCTH_NAME
        20, 0, 2, 128, 6, 0, 1, 0, 0, 2, 0, 0, 5, 0, 2, 0, 0, 0, 0, 0, // NFCTH_TUPLE
    ];
    let flows = Flows {
        l3proto: 2,
        l4proto: 0,
    };
    assert_eq!(request::get(b"rpc", Some(flows), 7), sent);
}

#[test]
fn a_helper_is_read() {
    assert_eq!(Helper::parse(&PAYLOAD), Ok(ftp()));
    for end in 0..PAYLOAD.len() {
        // A truncated message has fewer policies or is an error, and causes no panic.
        let _ = Helper::parse(&PAYLOAD[..end]);
    }
}

#[test]
fn every_policy_is_written_and_read() {
    let mut helper = ftp();
    helper.policies = (1..=4)
        .map(|max| ExpectPolicy {
            name: vec![b'p'; 15],
            max,
            timeout_s: max * 10,
        })
        .collect();
    // The request begins with struct nlmsghdr.
    assert_eq!(Helper::parse(&request::new(&helper, 1)[16..]), Ok(helper));
}
