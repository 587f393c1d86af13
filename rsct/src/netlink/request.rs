//! Requests to ctnetlink: a header, `struct nfgenmsg`, and attributes.

use netlink_packet_core::{Emitable as _, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterProtoFamily};

use super::emit::Emitter;

const HEADER_BYTES: usize = 16;
const NFGENMSG_BYTES: usize = 4;

/// Message types: the subsystem in the high byte, its own type in the low one
/// (include/uapi/linux/netfilter/nfnetlink_conntrack.h, `enum cntl_msg_types`).
pub(super) mod kind {
    /// `NFNL_SUBSYS_CTNETLINK`.
    const fn conntrack(message: u16) -> u16 {
        1 << 8 | message
    }

    pub(crate) const NEW: u16 = conntrack(0);
    pub(crate) const GET: u16 = conntrack(1);
    pub(crate) const DELETE: u16 = conntrack(2);
    pub(crate) const GET_CTRZERO: u16 = conntrack(3);
    pub(crate) const GET_STATS_CPU: u16 = conntrack(4);
    pub(crate) const GET_STATS: u16 = conntrack(5);
    pub(crate) const GET_DYING: u16 = conntrack(6);
    pub(crate) const GET_UNCONFIRMED: u16 = conntrack(7);
}

/// A request's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// One of [`kind`].
    pub message_type: u16,
    /// Flags in addition to `NLM_F_REQUEST`.
    pub flags: u16,
    /// An address family, or 0.
    pub family: u8,
}

impl Request {
    /// A request with many answers, the last of which marks the end.
    pub(super) fn dump(message_type: u16, family: u8) -> Self {
        Self {
            message_type,
            flags: NLM_F_DUMP,
            family,
        }
    }

    /// A request with an acknowledgement as its last answer.
    pub(super) fn acknowledged(message_type: u16, family: u8) -> Self {
        Self {
            message_type,
            flags: NLM_F_ACK,
            family,
        }
    }

    /// Appends the request to a datagram.
    #[inline]
    pub(super) fn append(self, out: &mut Vec<u8>, sequence: u32, attributes: impl FnOnce(&mut Emitter<'_>)) {
        let begin = out.len();
        out.resize(begin + HEADER_BYTES + NFGENMSG_BYTES, 0);
        NetfilterHeader::new(NetfilterProtoFamily::from(self.family), 0, 0)
            .emit(&mut out[begin + HEADER_BYTES..]);
        attributes(&mut Emitter::new(out));
        let length = u32::try_from(out.len() - begin).expect("requests are far below 4 GiB");
        let mut header = NetlinkBuffer::new(&mut out[begin..]);
        header.set_length(length);
        header.set_message_type(self.message_type);
        header.set_flags(NLM_F_REQUEST | self.flags);
        header.set_sequence_number(sequence);
    }

    /// Serializes the request without attributes.
    pub(super) fn bare(self, sequence: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append(&mut bytes, sequence, |_| {});
        bytes
    }
}

/// Serializes a request to a subsystem other than conntrack's, of no family, alone in its datagram.
pub(super) fn message(
    message_type: u16,
    flags: u16,
    sequence: u32,
    attributes: impl FnOnce(&mut Emitter<'_>),
) -> Vec<u8> {
    let request = Request {
        message_type,
        flags,
        family: 0,
    };
    let mut bytes = Vec::new();
    request.append(&mut bytes, sequence, attributes);
    bytes
}

/// Makes the kernel apply the family of a deletion without a tuple that is alone in its datagram: with
/// version 0 of `struct nfgenmsg` the kernel ignores it (ctnetlink_del_conntrack()).
pub(super) fn apply_family(datagram: &mut [u8]) {
    datagram[HEADER_BYTES + 1] = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As sent by `conntrack -L -f ipv6` (strace), except sequence number and port.
    #[test]
    fn dump_equals_conntracks_request() {
        assert_eq!(
            Request::dump(kind::GET, 10).bare(5),
            [20, 0, 0, 0, 1, 1, 1, 3, 5, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0]
        );
    }

    /// As sent by `conntrack -S` and `-C` (strace), except sequence number and port, and the acknowledgement
    /// that marks the end of an answer.
    #[test]
    fn counters_equal_conntracks_requests() {
        assert_eq!(
            Request::dump(kind::GET_STATS_CPU, 0).bare(5),
            [20, 0, 0, 0, 4, 1, 1, 3, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(
            Request::acknowledged(kind::GET_STATS, 0).bare(5),
            [20, 0, 0, 0, 5, 1, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn requests_are_appended() {
        let mut datagram = Request::dump(kind::GET, 0).bare(1);
        let first = datagram.len();
        Request::acknowledged(kind::DELETE, 2).append(&mut datagram, 2, |out| out.put(9, &[1]));
        assert_eq!(
            datagram[first..],
            [
                28, 0, 0, 0, 2, 1, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 5, 0, 9, 0, 1, 0, 0, 0
            ]
        );
    }
}
