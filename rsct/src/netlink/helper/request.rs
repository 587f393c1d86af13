//! Requests to the cthelper subsystem, in the format that the kernel reads
//! (net/netfilter/nfnetlink_cthelper.c, `nfnl_cthelper_cb`).

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE};

use super::{
    attribute::*,
    registered::{Flows, Helper},
};
use crate::netlink::{
    emit::Emitter,
    request::{Request, message},
};

/// Message types: the subsystem in the high byte, its own type in the low one
/// (include/uapi/linux/netfilter/nfnetlink_cthelper.h, `enum nfnl_acct_msg_types`).
mod kind {
    /// `NFNL_SUBSYS_CTHELPER`.
    const fn helper(message: u16) -> u16 {
        9 << 8 | message
    }

    pub(super) const NEW: u16 = helper(0);
    pub(super) const GET: u16 = helper(1);
    pub(super) const DELETE: u16 = helper(2);
}

/// `NFCT_HELPER_STATUS_DISABLED`.
const DISABLED: u32 = 0;

/// Serializes a request to create a helper.
pub(super) fn new(helper: &Helper, sequence: u32) -> Vec<u8> {
    message(kind::NEW, NLM_F_ACK | NLM_F_CREATE, sequence, |out| {
        helper.emit(out)
    })
}

/// Serializes a request to stop the queueing of packets to this helper.
pub(super) fn disable(name: &[u8], flows: Flows, sequence: u32) -> Vec<u8> {
    message(kind::NEW, NLM_F_ACK | NLM_F_CREATE, sequence, |out| {
        one(out, name, Some(flows));
        out.be32(NFCTH_STATUS, DISABLED);
    })
}

/// Serializes a request for every helper.
pub(super) fn list(sequence: u32) -> Vec<u8> {
    Request::dump(kind::GET, 0).bare(sequence)
}

/// Serializes a request for the helpers of this name.
pub(super) fn get(name: &[u8], flows: Option<Flows>, sequence: u32) -> Vec<u8> {
    message(kind::GET, NLM_F_ACK, sequence, |out| one(out, name, flows))
}

/// Serializes a request to delete the helpers of this name.
pub(super) fn delete(name: &[u8], flows: Option<Flows>, sequence: u32) -> Vec<u8> {
    message(kind::DELETE, NLM_F_ACK, sequence, |out| one(out, name, flows))
}

/// Serializes a request to delete every helper.
pub(super) fn flush(sequence: u32) -> Vec<u8> {
    message(kind::DELETE, NLM_F_ACK, sequence, |_| {})
}

fn one(out: &mut Emitter<'_>, name: &[u8], flows: Option<Flows>) {
    out.string(NFCTH_NAME, name);
    if let Some(flows) = flows {
        flows.emit(out);
    }
}
