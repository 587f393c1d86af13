//! The attributes after the columns.

use rsct_common::Tuple;

use super::{end, proto_name};
use crate::{
    labels::LabelMap,
    names::{proto, status},
    netlink::conntrack::{Entry, ProtoInfo, SeqAdj, Synproxy, Tcp},
    outside,
    render::{bytes, date::Date},
};

/// Nanoseconds in a second.
pub(super) const NS: u64 = 1_000_000_000;

/// Appends the attributes of an entry that no column shows.
pub(super) fn details(out: &mut Vec<u8>, entry: &Entry<'_>, names: Option<&LabelMap>, now_s: u64) {
    layer4(out, &entry.orig);
    nat(out, entry);
    hex(out, "mark", entry.mark.filter(|mark| *mark != 0));
    number(out, "zone", entry.zone);
    number(out, "zone-orig", entry.zone_orig);
    number(out, "zone-reply", entry.zone_reply);
    if entry.labels.is_some() {
        labels(out, entry, names);
    }
    if let Some(helper) = entry.helper {
        key(out, "helper");
        text(out, helper.name);
    }
    if let Some(master) = &entry.master {
        key(out, "master");
        proto_name(out, master.protonum);
        out.push(b':');
        end(out, master, master.src_addr(), master.src_port());
        out.push(b'>');
        end(out, master, master.dst_addr(), master.dst_port());
    }
    hex(out, "secmark", entry.secmark);
    if let Some(secctx) = entry.secctx {
        key(out, "secctx");
        text(out, secctx);
    }
    if let Some(info) = &entry.protoinfo {
        protoinfo(out, info);
    }
    seqadj(out, "seqadj-orig", entry.seqadj_orig);
    seqadj(out, "seqadj-reply", entry.seqadj_reply);
    // The kernel sends it for every TCP entry; all zeros if SYNPROXY does not handle the entry.
    if let Some(synproxy) = entry.synproxy.filter(|synproxy| *synproxy != Synproxy::default()) {
        key(out, "synproxy");
        parts(
            out,
            &[
                ("isn:", synproxy.isn.into()),
                ("its:", synproxy.its.into()),
                ("tsoff:", synproxy.tsoff.into()),
            ],
        );
    }
    times(out, entry, now_s);
    if let Some(bits) = entry.status {
        key(out, "status");
        commas(out, status::names(bits), |out, name| {
            out.extend_from_slice(name.as_bytes());
        });
    }
    number(out, "use", entry.use_count);
    number(out, "id", entry.id);
    let mut unknown = entry.unknown().peekable();
    if unknown.peek().is_some() {
        key(out, "unknown");
        commas(out, unknown, |out, attr| bytes::number(out, attr.kind));
    }
}

/// The fields of a protocol without ports.
fn layer4(out: &mut Vec<u8>, tuple: &Tuple) {
    if proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        number(out, "type", Some(kind));
        number(out, "code", Some(code));
        number(out, "icmp-id", Some(tuple.src_port()));
    } else if tuple.protonum == proto::GRE {
        hex(out, "srckey", Some(tuple.src_port().into()));
        hex(out, "dstkey", Some(tuple.dst_port().into()));
    }
}

/// Translated addresses: the source and the destination of replies, if NAT changed them.
fn nat(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let (orig, reply) = (&entry.orig, &entry.reply);
    let l4 = proto::has_ports(orig.protonum) || orig.protonum == proto::GRE;
    if reply.dst != orig.src || (l4 && reply.dst_l4 != orig.src_l4) {
        key(out, "snat");
        end(out, reply, reply.dst_addr(), reply.dst_port());
    }
    if reply.src != orig.dst || (l4 && reply.src_l4 != orig.dst_l4) {
        key(out, "dnat");
        end(out, reply, reply.src_addr(), reply.src_port());
    }
    if proto::is_icmp(orig.protonum) && reply.src_l4 != orig.src_l4 {
        number(out, "reply-icmp-id", Some(reply.src_port()));
    }
}

fn labels(out: &mut Vec<u8>, entry: &Entry<'_>, names: Option<&LabelMap>) {
    key(out, "labels");
    commas(out, entry.label_bits(), |out, bit| {
        match names.and_then(|names| names.name(bit)) {
            Some(name) => out.extend_from_slice(name.as_bytes()),
            None => bytes::number(out, bit),
        }
    });
}

fn protoinfo(out: &mut Vec<u8>, info: &ProtoInfo) {
    match info {
        ProtoInfo::Tcp(tcp) => tcp_ends(out, tcp),
        ProtoInfo::Sctp(sctp) => {
            hex(out, "vtag-orig", sctp.vtag_orig);
            hex(out, "vtag-reply", sctp.vtag_reply);
        }
        ProtoInfo::Dccp(dccp) => {
            if let Some(role) = dccp.role {
                key(out, "role");
                out.extend_from_slice(role.name().as_bytes());
            }
            number(out, "handshake-seq", dccp.handshake_seq);
        }
    }
}

/// `IP_CT_TCP_FLAG_*` (include/uapi/linux/netfilter/nf_conntrack_tcp.h), the lowest bit first.
const TCP_FLAGS: [&str; 8] = [
    "WINDOW_SCALE",
    "SACK_PERM",
    "CLOSE_INIT",
    "BE_LIBERAL",
    "DATA_UNACKNOWLEDGED",
    "MAXACK_SET",
    "EXP_CHALLENGE_ACK",
    "SIMULTANEOUS_OPEN",
];

fn tcp_ends(out: &mut Vec<u8>, tcp: &Tcp) {
    for (name, wscale, flags) in [
        ("tcp-orig", tcp.wscale_orig, tcp.flags_orig),
        ("tcp-reply", tcp.wscale_reply, tcp.flags_reply),
    ] {
        if wscale.is_none() && flags.is_none() {
            continue;
        }
        key(out, name);
        if let Some(wscale) = wscale {
            out.extend_from_slice(b"wscale:");
            bytes::number(out, wscale);
        }
        let set = flags.map_or(0, |flags| flags.flags);
        for (_, flag) in (0..).zip(TCP_FLAGS).filter(|(bit, _)| set >> bit & 1 == 1) {
            if out.last() != Some(&b'=') {
                out.push(b',');
            }
            out.extend_from_slice(flag.as_bytes());
        }
    }
}

fn seqadj(out: &mut Vec<u8>, name: &'static str, adj: Option<SeqAdj>) {
    if let Some(adj) = adj {
        key(out, name);
        parts(
            out,
            &[
                ("pos:", adj.correction_pos.into()),
                ("before:", adj.offset_before.into()),
                ("after:", adj.offset_after.into()),
            ],
        );
    }
}

/// The entry's creation and destruction in local time, and its age in seconds.
fn times(out: &mut Vec<u8>, entry: &Entry<'_>, now_s: u64) {
    let Some(timestamps) = entry.timestamps else {
        return;
    };
    let stop_ns = timestamps.stop_ns.filter(|stop_ns| *stop_ns != 0);
    for (name, ns) in [("start", timestamps.start_ns), ("stop", stop_ns)] {
        if let Some(ns) = ns {
            key(out, name);
            match Date::local(ns / NS) {
                Some(date) => date.iso(out),
                None => bytes::number(out, ns / NS),
            }
        }
    }
    if let Some(start_ns) = timestamps.start_ns {
        let stop_s = stop_ns.map_or(now_s, |stop_ns| stop_ns / NS);
        key(out, "age");
        bytes::number(out, stop_s.saturating_sub(start_ns / NS));
        out.push(b's');
    }
}

/// Begins an attribute.
fn key(out: &mut Vec<u8>, name: &'static str) {
    if out.last() != Some(&b' ') {
        out.push(b' ');
    }
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
}

fn number(out: &mut Vec<u8>, name: &'static str, value: Option<impl itoa::Integer>) {
    if let Some(value) = value {
        key(out, name);
        bytes::number(out, value);
    }
}

fn hex(out: &mut Vec<u8>, name: &'static str, value: Option<u32>) {
    if let Some(value) = value {
        key(out, name);
        bytes::hex(out, value.into());
    }
}

fn parts(out: &mut Vec<u8>, parts: &[(&'static str, i64)]) {
    commas(out, parts.iter(), |out, (name, value)| {
        out.extend_from_slice(name.as_bytes());
        bytes::number(out, *value);
    });
}

fn commas<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

/// Text from outside: terminal controls and invalid text are escaped.
fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(outside::shown(text).as_bytes());
}
