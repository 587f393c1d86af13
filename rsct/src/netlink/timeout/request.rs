//! Requests to the cttimeout subsystem, in the format that the kernel reads
//! (net/netfilter/nfnetlink_cttimeout.c, `cttimeout_cb`).

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE};

use super::{attribute::*, policy::Timeouts};
use crate::netlink::request::{Request, message};

/// Message types: the subsystem in the high byte, its own type in the low one
/// (include/uapi/linux/netfilter/nfnetlink_cttimeout.h, `enum ctnl_timeout_msg_types`).
mod kind {
    /// `NFNL_SUBSYS_CTNETLINK_TIMEOUT`.
    const fn timeout(message: u16) -> u16 {
        8 << 8 | message
    }

    pub(super) const NEW: u16 = timeout(0);
    pub(super) const GET: u16 = timeout(1);
    pub(super) const DELETE: u16 = timeout(2);
    pub(super) const DEFAULT_SET: u16 = timeout(3);
    pub(super) const DEFAULT_GET: u16 = timeout(4);
}

/// The effect of a request on an existing policy with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The request fails.
    Create,
    /// The policy is changed.
    Replace,
}

/// Serializes a request to create or change the policy of this name.
pub(super) fn new(name: &[u8], timeouts: &Timeouts, how: How, sequence: u32) -> Vec<u8> {
    let flags = match how {
        // As nfct does: without NLM_F_EXCL, an existing one causes EBUSY.
        How::Create => NLM_F_CREATE,
        How::Replace => NLM_F_REPLACE,
    };
    message(kind::NEW, NLM_F_ACK | flags, sequence, |out| {
        out.string(CTA_TIMEOUT_NAME, name);
        timeouts.emit(out);
    })
}

/// Serializes a request for every policy.
pub(super) fn list(sequence: u32) -> Vec<u8> {
    Request::dump(kind::GET, 0).bare(sequence)
}

/// Serializes a request for the policy of this name.
pub(super) fn get(name: &[u8], sequence: u32) -> Vec<u8> {
    message(kind::GET, NLM_F_ACK, sequence, |out| {
        out.string(CTA_TIMEOUT_NAME, name)
    })
}

/// Serializes a request to delete the policy of this name, or all unused ones.
pub(super) fn delete(name: Option<&[u8]>, sequence: u32) -> Vec<u8> {
    message(kind::DELETE, NLM_F_ACK, sequence, |out| {
        if let Some(name) = name {
            out.string(CTA_TIMEOUT_NAME, name);
        }
    })
}

/// Serializes a request to change a protocol's defaults.
pub(super) fn default_set(timeouts: &Timeouts, sequence: u32) -> Vec<u8> {
    message(kind::DEFAULT_SET, NLM_F_ACK, sequence, |out| timeouts.emit(out))
}

/// Serializes a request for a protocol's defaults.
pub(super) fn default_get(timeouts: &Timeouts, sequence: u32) -> Vec<u8> {
    message(kind::DEFAULT_GET, NLM_F_ACK, sequence, |out| {
        timeouts.emit_protocols(out)
    })
}
