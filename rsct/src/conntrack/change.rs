//! Requests that the conntrack command line makes of an entry.

use super::{
    object::{EntryAttr, ProtocolValues, TypedEntry, TypedNat},
    options::CtOption,
    parse::Order,
};
use crate::{
    family::Family,
    names::{proto, status},
    netlink::conntrack::{self, Change, Dccp, DccpRole, Entry, ProtoInfo, Sctp, Tcp, TcpFlags},
};

/// Returns whether a request can be built: the original direction must be present, and the reply must be whole if any
/// part of it was typed.
pub(super) fn is_complete(object: &TypedEntry) -> bool {
    let is_v4_or_v6 = |family: u16| matches!(family, 2 | 10);
    object.set.has(EntryAttr::OrigL3) && (!object.has_repl() || is_v4_or_v6(object.repl.family()))
}

/// The entry as it was typed.
pub(super) fn of_object(object: &TypedEntry) -> Change<'static> {
    let set = object.set;
    Change {
        orig: object.has_orig().then_some(object.orig),
        zone_orig: set.has(EntryAttr::OrigZone).then_some(object.orig_zone),
        reply: object.has_repl().then_some(object.repl),
        zone_reply: set.has(EntryAttr::ReplZone).then_some(object.repl_zone),
        zone: object.zone,
        status: object.status.map(|bits| bits | status::CONFIRMED),
        timeout: object.timeout,
        protoinfo: protoinfo(&object.protocol, object.orig.protonum),
        nat_src: nat(&object.snat, object.orig.protonum),
        nat_dst: nat(&object.dnat, object.orig.protonum),
        ..Change::default()
    }
}

/// Identifies an entry that the kernel has dumped.
pub(super) fn key_of<'a>(entry: &Entry<'_>) -> Change<'a> {
    Change {
        orig: Some(entry.orig),
        zone_orig: entry.zone_orig,
        zone: entry.zone,
        ..Change::default()
    }
}

/// Request for an update, with the labels that it borrows.
#[derive(Debug, Default)]
pub(super) struct Update {
    change: Change<'static>,
    labels: Option<Vec<u8>>,
    labels_mask: Option<Vec<u8>>,
    /// The command adds labels, but the entry has no label extension.
    pub(super) lacks_labels: bool,
}

impl Update {
    /// The request.
    pub(super) fn change(&self) -> Change<'_> {
        Change {
            labels: self.labels.as_deref(),
            labels_mask: self.labels_mask.as_deref(),
            ..self.change.clone()
        }
    }

    /// The request that reads the entry back.
    pub(super) fn key(&self) -> Change<'_> {
        Change {
            orig: self.change.orig,
            zone_orig: self.change.zone_orig,
            zone: self.change.zone,
            ..Change::default()
        }
    }
}

/// Builds the update of one entry; `None` if nothing would change.
pub(super) fn update(order: &Order, entry: &Entry<'_>) -> Option<Update> {
    let object = &order.target.entry;
    let mark = order
        .mark
        .map(|new| (entry.mark.unwrap_or(0) & !new.mask) ^ new.value);
    let old_status = entry.status.unwrap_or(0);
    let new_status = object.status.map(|bits| bits | old_status);
    let labels = labels(order, entry);
    let is_state = |new: Option<u8>, old: Option<u8>| new.is_none() || new == old;
    let (tcp, sctp, dccp) = match entry.protoinfo {
        Some(ProtoInfo::Tcp(tcp)) => (tcp.state, None, None),
        Some(ProtoInfo::Sctp(sctp)) => (None, sctp.state, None),
        Some(ProtoInfo::Dccp(dccp)) => (None, None, dccp.state),
        _ => (None, None, None),
    };
    let unchanged = mark.is_none_or(|mark| mark == entry.mark.unwrap_or(0))
        && (object.timeout.is_none() || object.timeout == entry.timeout)
        && new_status.is_none_or(|bits| bits == old_status)
        && is_state(object.protocol.tcp_state, tcp)
        && is_state(object.protocol.sctp_state, sctp)
        && is_state(object.protocol.dccp_state, dccp)
        && labels.is_none();
    if unchanged {
        return None;
    }
    let protonum = entry.orig.protonum;
    let (labels, labels_mask) = labels.unwrap_or_default();
    Some(Update {
        change: Change {
            mark,
            timeout: object.timeout,
            status: new_status.map(|bits| bits | status::CONFIRMED),
            protoinfo: protoinfo(&object.protocol, protonum),
            nat_src: nat(&object.snat, protonum),
            nat_dst: nat(&object.dnat, protonum),
            ..key_of(entry)
        },
        labels: Some(labels).filter(|labels| !labels.is_empty()),
        labels_mask,
        lacks_labels: order.given.has(CtOption::LabelAdd) && entry.labels.is_none(),
    })
}

/// The labels that an order sets on an entry, and the mask unless all count; `None` if it sets none. The kernel expects
/// as many bytes as it dumps, and clears the omitted ones.
fn labels(order: &Order, entry: &Entry<'_>) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let adds = order.given.has(CtOption::LabelAdd);
    if !adds && !order.given.has(CtOption::LabelDel) {
        return None;
    }
    let typed = order.label_change.as_ref().map(|bits| bits.bytes());
    let Some(old) = entry.labels else {
        // The entry has no label extension: the kernel will refuse this.
        return adds.then(|| (typed.unwrap_or_default(), None));
    };
    let Some(typed) = typed else {
        let has_any = old.iter().any(|byte| *byte != 0);
        return has_any.then(|| (vec![0; 4], None));
    };
    let at = |index: usize| typed.get(index).copied().unwrap_or(0);
    let labels = old.iter().enumerate();
    Some(if adds {
        let labels: Vec<u8> = labels.map(|(index, _)| at(index)).collect();
        (labels.clone(), Some(labels))
    } else {
        (labels.map(|(index, byte)| byte & !at(index)).collect(), None)
    })
}

fn protoinfo(typed: &ProtocolValues, protonum: u8) -> Option<ProtoInfo> {
    match protonum {
        proto::TCP if typed.tcp_state.is_some() || typed.tcp_flags.is_some() => {
            let flags = typed.tcp_flags.map(|flags| TcpFlags { flags, mask: flags });
            Some(ProtoInfo::Tcp(Tcp {
                state: typed.tcp_state,
                flags_orig: flags,
                flags_reply: flags,
                ..Tcp::default()
            }))
        }
        proto::SCTP if typed.sctp_state.is_some() || typed.sctp_vtags != [None; 2] => {
            // conntrack sends the tags byte-swapped, and prints them so too.
            let [orig, reply] = typed.sctp_vtags.map(|vtag| vtag.map(u32::swap_bytes));
            Some(ProtoInfo::Sctp(Sctp {
                state: typed.sctp_state,
                vtag_orig: orig,
                vtag_reply: reply,
            }))
        }
        proto::DCCP if typed.dccp_state.is_some() || typed.dccp_role.is_some() => {
            Some(ProtoInfo::Dccp(Dccp {
                state: typed.dccp_state,
                role: typed.dccp_role.map(|role| match role {
                    0 => DccpRole::Client,
                    _ => DccpRole::Server,
                }),
                handshake_seq: None,
            }))
        }
        _ => None,
    }
}

/// Only TCP and UDP have NAT ports.
fn nat(typed: &TypedNat, protonum: u8) -> Option<conntrack::Nat> {
    let address = typed.addr?;
    let family = typed.family?;
    let port = typed.port.filter(|_| matches!(protonum, proto::TCP | proto::UDP));
    let address = match family {
        Family::Ipv4 => {
            let [a, b, c, d, ..] = address;
            [a, b, c, d].into()
        }
        Family::Ipv6 => address.into(),
    };
    Some(conntrack::Nat::to(Some(address), port))
}
