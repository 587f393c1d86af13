//! An entry as one JSON object. Written without `schema::entry::Entry`, as a dump has a million of them; a test proves
//! that both are the same.

use rsct_common::Tuple;

use super::{
    bytes,
    entry::about::About,
    members::{self, literal},
    timeout_source,
};
use crate::{
    labels::LabelMap,
    names::{self, proto, status},
    netlink::conntrack::{Counters, Entry, ProtoInfo, SeqAdj},
    schema::common::netns_name,
};

/// Appends an entry's object and a newline. `names`: for labels.
pub(crate) fn entry(out: &mut Vec<u8>, entry: &Entry<'_>, about: &About<'_>, names: Option<&LabelMap>) {
    out.push(b'{');
    if let Some(event) = about.event {
        word(out, "event", Some(event.name()));
        number(out, "event_ns", entry.event_ns);
    }
    if let Some(requester) = about.requester {
        open(out, "requester");
        number(out, "portid", Some(requester.portid));
        text(out, "progname", requester.progname);
        close(out);
    }
    if let Some(netns) = about.netns {
        number(out, "netns", Some(netns.inode));
        text(out, "netns_name", netns_name(netns).map(str::as_bytes));
    }
    word(out, "family", entry.family().map(|family| family.name()));
    let protonum = entry.orig.protonum;
    word(
        out,
        "state",
        entry
            .protoinfo
            .and_then(|info| names::state(protonum, info.state()?)),
    );
    number(out, "timeout_s", entry.timeout);
    if let Some(source) = about.timeout_source {
        out.push(b',');
        timeout_source::json(out, source);
    }
    if let Some(bits) = entry.status {
        key(out, "status");
        array(out, status::names(bits), |out, name| {
            out.push(b'"');
            bytes::short(out, name.as_bytes());
            out.push(b'"');
        });
    }
    direction(out, "orig", &entry.orig, entry.zone_orig, entry.counters_orig);
    direction(out, "reply", &entry.reply, entry.zone_reply, entry.counters_reply);
    number(out, "mark", entry.mark);
    number(out, "zone", entry.zone);
    number(out, "use", entry.use_count);
    number(out, "id", entry.id);
    if entry.labels.is_some() {
        key(out, "labels");
        array(out, entry.label_bits(), bytes::number);
        label_names(out, entry, names);
    }
    text(out, "helper", entry.helper.map(|helper| helper.name));
    number(out, "start_ns", entry.timestamps.and_then(|t| t.start_ns));
    number(out, "stop_ns", entry.timestamps.and_then(|t| t.stop_ns));
    number(out, "secmark", entry.secmark);
    text(out, "secctx", entry.secctx);
    if let Some(info) = &entry.protoinfo {
        protoinfo(out, info);
    }
    seqadj(out, "seqadj_orig", entry.seqadj_orig);
    seqadj(out, "seqadj_reply", entry.seqadj_reply);
    if let Some(synproxy) = entry.synproxy {
        open(out, "synproxy");
        number(out, "isn", Some(synproxy.isn));
        number(out, "its", Some(synproxy.its));
        number(out, "tsoff", Some(synproxy.tsoff));
        close(out);
    }
    if let Some(master) = &entry.master {
        open(out, "master");
        tuple(out, master);
        close(out);
    }
    let mut unknown = entry.unknown().peekable();
    if unknown.peek().is_some() {
        key(out, "unknown_attributes");
        array(out, unknown, |out, attr| {
            out.push(b'{');
            number(out, "attribute", Some(attr.kind));
            key(out, "payload");
            array(out, attr.payload.iter().copied(), bytes::number);
            close(out);
        });
    }
    close(out);
    out.push(b'\n');
}

/// The names of those labels that have one.
fn label_names(out: &mut Vec<u8>, entry: &Entry<'_>, names: Option<&LabelMap>) {
    let Some(names) = names else { return };
    let mut named = entry.label_bits().filter_map(|bit| names.name(bit)).peekable();
    if named.peek().is_some() {
        key(out, "label_names");
        array(out, named, |out, name| {
            out.push(b'"');
            bytes::short(out, name.as_bytes());
            out.push(b'"');
        });
    }
}

fn direction(
    out: &mut Vec<u8>,
    name: &'static str,
    direction: &Tuple,
    zone: Option<u16>,
    counters: Option<Counters>,
) {
    open(out, name);
    tuple(out, direction);
    number(out, "zone", zone);
    number(out, "packets", counters.map(|c| c.packets));
    number(out, "bytes", counters.map(|c| c.bytes));
    close(out);
}

/// Appends a tuple's members, the first of an object.
pub(super) fn tuple(out: &mut Vec<u8>, tuple: &Tuple) {
    protocol(out, tuple.protonum);
    literal(out, b",\"src\":\"");
    bytes::address(out, tuple.src_addr());
    literal(out, b"\",\"dst\":\"");
    bytes::address(out, tuple.dst_addr());
    out.push(b'"');
    if proto::has_ports(tuple.protonum) {
        members::number(out, b",\"sport\":", tuple.src_port());
        members::number(out, b",\"dport\":", tuple.dst_port());
    } else if proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        members::number(out, b",\"icmp_type\":", kind);
        members::number(out, b",\"icmp_code\":", code);
        members::number(out, b",\"icmp_id\":", tuple.src_port());
    } else if tuple.protonum == proto::GRE {
        members::number(out, b",\"srckey\":", tuple.src_port());
        members::number(out, b",\"dstkey\":", tuple.dst_port());
    }
}

/// Appends the members of a protocol. Those of the protocols that conntrack knows are in one piece.
#[inline]
fn protocol(out: &mut Vec<u8>, protonum: u8) {
    let members: &[u8] = match protonum {
        proto::ICMP => b"\"proto\":\"icmp\",\"protonum\":1",
        proto::TCP => b"\"proto\":\"tcp\",\"protonum\":6",
        proto::UDP => b"\"proto\":\"udp\",\"protonum\":17",
        proto::DCCP => b"\"proto\":\"dccp\",\"protonum\":33",
        proto::GRE => b"\"proto\":\"gre\",\"protonum\":47",
        proto::ICMPV6 => b"\"proto\":\"icmpv6\",\"protonum\":58",
        proto::SCTP => b"\"proto\":\"sctp\",\"protonum\":132",
        proto::UDPLITE => b"\"proto\":\"udplite\",\"protonum\":136",
        _ => {
            out.extend_from_slice(b"\"protonum\":");
            return bytes::number(out, protonum);
        }
    };
    bytes::short(out, members);
}

/// The object is absent if the event has none of its members.
fn protoinfo(out: &mut Vec<u8>, info: &ProtoInfo) {
    let begin = out.len();
    match info {
        ProtoInfo::Tcp(_) => open(out, "tcp"),
        ProtoInfo::Sctp(_) => open(out, "sctp"),
        ProtoInfo::Dccp(_) => open(out, "dccp"),
    }
    let empty = out.len();
    match info {
        ProtoInfo::Tcp(tcp) => {
            number(out, "wscale_orig", tcp.wscale_orig);
            number(out, "wscale_reply", tcp.wscale_reply);
            number(out, "flags_orig", tcp.flags_orig.map(|f| f.flags));
            number(out, "flags_reply", tcp.flags_reply.map(|f| f.flags));
        }
        ProtoInfo::Sctp(sctp) => {
            number(out, "vtag_orig", sctp.vtag_orig);
            number(out, "vtag_reply", sctp.vtag_reply);
        }
        ProtoInfo::Dccp(dccp) => {
            word(out, "role", dccp.role.map(|role| role.name()));
            number(out, "handshake_seq", dccp.handshake_seq);
        }
    }
    if out.len() == empty {
        out.truncate(begin);
    } else {
        close(out);
    }
}

fn seqadj(out: &mut Vec<u8>, name: &'static str, adj: Option<SeqAdj>) {
    let Some(adj) = adj else { return };
    open(out, name);
    number(out, "correction_pos", Some(adj.correction_pos));
    number(out, "offset_before", Some(adj.offset_before));
    number(out, "offset_after", Some(adj.offset_after));
    close(out);
}

/// Appends a key, after a comma unless it is an object's first.
#[inline]
fn key(out: &mut Vec<u8>, name: &'static str) {
    if !matches!(out.last(), Some(b'{')) {
        out.push(b',');
    }
    out.push(b'"');
    bytes::short(out, name.as_bytes());
    out.extend_from_slice(b"\":");
}

#[inline]
fn number(out: &mut Vec<u8>, name: &'static str, value: Option<impl itoa::Integer>) {
    if let Some(value) = value {
        key(out, name);
        bytes::number(out, value);
    }
}

/// A string of ours, which needs no escaping.
#[inline]
fn word(out: &mut Vec<u8>, name: &'static str, value: Option<&'static str>) {
    if let Some(value) = value {
        key(out, name);
        out.push(b'"');
        bytes::short(out, value.as_bytes());
        out.push(b'"');
    }
}

/// A string from outside.
fn text(out: &mut Vec<u8>, name: &'static str, value: Option<&[u8]>) {
    if let Some(value) = value {
        key(out, name);
        out.push(b'"');
        bytes::json_text(out, value);
        out.push(b'"');
    }
}

fn open(out: &mut Vec<u8>, name: &'static str) {
    key(out, name);
    out.push(b'{');
}

fn close(out: &mut Vec<u8>) {
    out.push(b'}');
}

fn array<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    let mut first = true;
    for item in items {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::netlink::conntrack::samples;

    fn value(payload: &[u8]) -> Value {
        let mut out = Vec::new();
        entry(&mut out, &Entry::parse(payload).unwrap(), &About::default(), None);
        assert_eq!(out.pop(), Some(b'\n'));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_tcp_entry_is_whole() {
        assert_eq!(
            value(&samples::TCP.payload()),
            json!({
                "family": "ipv4", "state": "ESTABLISHED", "timeout_s": 299,
                "status": ["SEEN_REPLY", "ASSURED", "CONFIRMED"],
                "orig": {"proto": "tcp", "protonum": 6, "src": "192.0.2.1", "dst": "192.0.2.2", "sport": 1234,
                         "dport": 80, "packets": 0, "bytes": 0},
                "reply": {"proto": "tcp", "protonum": 6, "src": "192.0.2.2", "dst": "192.0.2.1", "sport": 80,
                          "dport": 1234, "packets": 0, "bytes": 0},
                "mark": 42, "zone": 7, "use": 1, "id": 892925916,
                "start_ns": 1795401554590943928u64,
                "tcp": {"wscale_orig": 0, "wscale_reply": 0, "flags_orig": 10, "flags_reply": 10},
                "synproxy": {"isn": 0, "its": 0, "tsoff": 0},
            })
        );
    }

    #[test]
    fn each_protocol_has_its_own_members() {
        let icmp = value(&samples::ICMPV6.payload());
        assert_eq!(
            icmp["orig"],
            json!({"proto": "icmpv6", "protonum": 58, "src": "2001:db8::1", "dst": "2001:db8::2", "icmp_type": 128,
                   "icmp_code": 0, "icmp_id": 77, "packets": 0, "bytes": 0})
        );
        let sctp = value(&samples::SCTP.payload());
        assert_eq!(
            sctp["sctp"],
            json!({"vtag_orig": 17 << 24, "vtag_reply": 34 << 24})
        );
        assert_eq!(sctp["orig"]["zone"], 3);
        let gre = value(&samples::GRE.payload());
        assert_eq!(
            (&gre["orig"]["srckey"], &gre["reply"]["srckey"]),
            (&json!(11), &json!(20))
        );
        let ftp = value(&samples::FTP.payload());
        assert_eq!(
            (&ftp["helper"], &ftp["labels"]),
            (&json!("ftp"), &json!([3, 127]))
        );
    }

    #[test]
    fn an_attribute_of_a_newer_kernel_is_there() {
        let mut payload = samples::GRE.payload();
        payload.extend([6, 0, 0xe7, 0x03, 1, 2, 0, 0]);
        assert_eq!(
            value(&payload)["unknown_attributes"],
            json!([{"attribute": 999, "payload": [1, 2]}])
        );
    }
}
