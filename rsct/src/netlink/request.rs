//! Requests to ctnetlink.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterProtoFamily, conntrack::ConntrackMessage,
};

use rsct_common::Tuple;

use super::{conntrack, emit::Emitter};
use crate::family::Family;

// include/uapi/linux/netfilter/nfnetlink_conntrack.h, `enum cntl_msg_types`.
const IPCTNL_MSG_CT_GET_STATS_CPU: u8 = 4;
const IPCTNL_MSG_CT_GET_STATS: u8 = 5;

/// The message that asks for the whole table, or for one family's part of it.
pub(super) fn dump(family: Option<Family>, sequence: u32) -> Vec<u8> {
    let family = match family {
        None => NetfilterProtoFamily::Unspec,
        Some(Family::Ipv4) => NetfilterProtoFamily::IPv4,
        Some(Family::Ipv6) => NetfilterProtoFamily::IPv6,
    };
    let inner = NetfilterMessage::new(
        NetfilterHeader::new(family, 0, 0),
        ConntrackMessage::Get(Vec::new()),
    );
    encode(inner, NLM_F_REQUEST | NLM_F_DUMP, sequence)
}

/// The message that asks how many entries there are, and how many there may be.
pub(super) fn stats(sequence: u32) -> Vec<u8> {
    encode(bare(IPCTNL_MSG_CT_GET_STATS), NLM_F_REQUEST | NLM_F_ACK, sequence)
}

/// The message that asks for every CPU's counters.
pub(super) fn stats_cpu(sequence: u32) -> Vec<u8> {
    encode(
        bare(IPCTNL_MSG_CT_GET_STATS_CPU),
        NLM_F_REQUEST | NLM_F_DUMP,
        sequence,
    )
}

/// A message of a type that is asked without attributes, of no family.
fn bare(message_type: u8) -> NetfilterMessage {
    NetfilterMessage::new(
        NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, 0),
        ConntrackMessage::Other {
            message_type,
            attributes: Vec::new(),
        },
    )
}

/// The message that asks for the entry that has this tuple, in either direction. Its attributes are written by
/// our own codecs, which the crate's have no counterpart of.
pub(super) fn get(tuple: &Tuple, zone: u16, sequence: u32) -> Vec<u8> {
    let mut attributes = Emitter::default();
    conntrack::emit_tuple(&mut attributes, conntrack::CTA_TUPLE_ORIG, tuple);
    if zone != 0 {
        attributes.put(conntrack::CTA_ZONE, &zone.to_be_bytes());
    }
    let attributes = attributes.into_bytes();
    let family = NetfilterProtoFamily::from(tuple.l3num[usize::from(cfg!(target_endian = "big"))]);
    let inner = NetfilterMessage::new(
        NetfilterHeader::new(family, 0, 0),
        ConntrackMessage::Get(Vec::new()),
    );
    let mut bytes = encode(inner, NLM_F_REQUEST | NLM_F_ACK, sequence);
    bytes.extend_from_slice(&attributes);
    let length = u32::try_from(bytes.len()).expect("requests are far below 4 GiB");
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes
}

fn encode(inner: NetfilterMessage, flags: u16, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(inner));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `strace conntrack -L -f ipv6` shows it sent, but for sequence number and port.
    #[test]
    fn a_dump_is_asked_for_as_conntrack_asks() {
        assert_eq!(
            dump(Some(Family::Ipv6), 5),
            [20, 0, 0, 0, 1, 1, 1, 3, 5, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0]
        );
        assert_eq!(dump(None, 0)[16..], [0; 4]);
    }

    /// As `strace conntrack -S` and `-C` show them sent, but for sequence number and port, and for the
    /// acknowledgement that tells where an answer ends.
    #[test]
    fn counters_are_asked_for_as_conntrack_asks() {
        assert_eq!(
            stats_cpu(5),
            [20, 0, 0, 0, 4, 1, 1, 3, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(
            stats(5),
            [20, 0, 0, 0, 5, 1, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
    }
}
