//! The helpers that nfct can register: conntrackd's user-space helpers.

use crate::{
    names::proto::{TCP, UDP},
    netlink::helper::{ExpectPolicy, Flows, Helper},
};

/// A helper of conntrackd. Each has one expectation policy, with the helper's name.
#[derive(Debug)]
pub(super) struct KnownHelper {
    name: &'static str,
    l4proto: u8,
    /// Size of conntrackd's private data per flow (include/helpers/*.h of conntrack-tools).
    priv_data_len: u32,
    expect_max: u32,
    expect_timeout_s: u32,
}

const fn known(name: &'static str, l4proto: u8, priv_data_len: u32, expect: (u32, u32)) -> KnownHelper {
    KnownHelper {
        name,
        l4proto,
        priv_data_len,
        expect_max: expect.0,
        expect_timeout_s: expect.1,
    }
}

/// Name, protocol, bytes of private data, and expectation limit and timeout in seconds.
const HELPERS: [KnownHelper; 12] = [
    known("amanda", UDP, 0, (3, 180)),
    known("dhcpv6", UDP, 0, (1, 300)),
    known("ftp", TCP, 24, (1, 300)),
    known("mdns", UDP, 0, (8, 30)),
    known("rpc", TCP, 16, (1, 300)),
    known("rpc", UDP, 16, (1, 300)),
    known("sane", TCP, 4, (1, 300)),
    known("slp", UDP, 0, (8, 16)),
    known("ssdp", UDP, 0, (8, 300)),
    known("ssdp", TCP, 0, (8, 300)),
    known("tftp", UDP, 0, (1, 300)),
    known("tns", TCP, 1, (1, 300)),
];

/// The helper with this name for this protocol.
pub(super) fn find(name: &[u8], l4proto: u8) -> Option<&'static KnownHelper> {
    HELPERS
        .iter()
        .find(|helper| helper.name.as_bytes() == name && helper.l4proto == l4proto)
}

impl KnownHelper {
    /// The registration for the kernel.
    pub(super) fn helper(&self, l3proto: u16) -> Helper {
        let name = self.name.as_bytes().to_vec();
        Helper {
            name: name.clone(),
            flows: Flows {
                l3proto,
                l4proto: self.l4proto,
            },
            policies: vec![ExpectPolicy {
                name,
                max: self.expect_max,
                timeout_s: self.expect_timeout_s,
            }],
            priv_data_len: self.priv_data_len,
            ..Helper::default()
        }
    }
}
