//! The line that `conntrack -o save` prints for an entry: options that create, change or delete it.
//!
//! conntrack's line, plus attributes that it loses: the mark (`-m`; absent if 0, except in a change) and the labels
//! (`--label-add`; `-l` for a deletion). A label without a name has its number, which rsct accepts and `conntrack -R` does
//! not. Unlike conntrack's, a line that creates an entry lacks `EXPECTED`: the kernel rejects that bit.
//!
//! `conntrack -R` rejects some of conntrack's own lines: a security mark (`-c`), a zone in a change (`-U`), DCCP from a
//! kernel without a handler for it; and it crashes on SCTP's two states `HEARTBEAT_…`. A deletion (`-D`) matches only an
//! entry with the same seconds left. Attributes without an option are lost: helper, counters, window scales and flags,
//! sequence adjustment, master.
//!
//! conntrack swaps the bytes of SCTP's verification tags when it prints and when it reads these options, so they are
//! swapped here too.

use std::net::IpAddr;

use rsct_common::Tuple;

use super::{bytes, event_line::Event};
use crate::{
    labels::LabelMap,
    names::{self, proto, status},
    netlink::conntrack::{DccpRole, Entry, ProtoInfo},
};

/// `ct->status`: NAT has been decided on for the source, for the destination.
const SRC_NAT_DONE: u32 = 1 << 7;
const DST_NAT_DONE: u32 = 1 << 8;
/// The status bits that have an option value.
const STATUS: [(u32, &str); 4] = [
    (status::EXPECTED, "EXPECTED"),
    (status::SEEN_REPLY, "SEEN_REPLY"),
    (status::ASSURED, "ASSURED"),
    (status::FIXED_TIMEOUT, "FIXED_TIMEOUT"),
];

/// Appends the line, with its newline. It begins with `-A`, or for an event with the option that repeats it.
pub(crate) fn line(out: &mut Vec<u8>, entry: &Entry<'_>, event: Option<Event>, names: Option<&LabelMap>) {
    out.extend_from_slice(match event {
        None | Some(Event::New | Event::Sync) => b"-A",
        Some(Event::Update) => b"-U",
        Some(Event::Destroy) => b"-D",
    });
    number(out, b" -t ", entry.timeout);
    let makes = matches!(event, None | Some(Event::New | Event::Sync));
    if let Some(bits) = entry.status {
        let bits = if makes { bits & !status::EXPECTED } else { bits };
        out.extend_from_slice(b" -u ");
        list(
            out,
            STATUS
                .iter()
                .filter(|(bit, _)| bits & bit != 0)
                .map(|(_, name)| name),
        );
    }
    let changes = event == Some(Event::Update);
    number(out, b" -m ", entry.mark.filter(|mark| *mark != 0 || changes));
    number(out, b" -c ", entry.secmark);
    number(out, b" -w ", entry.zone);
    number(out, b" --orig-zone ", entry.zone_orig);
    number(out, b" --reply-zone ", entry.zone_reply);
    let (orig, reply) = (&entry.orig, &entry.reply);
    address(out, b" -s ", orig.src_addr());
    address(out, b" -d ", orig.dst_addr());
    let is_translated =
        |done: u32, from: IpAddr, to: IpAddr| entry.status.is_none_or(|bits| bits & done != 0) && from != to;
    let dnat = is_translated(DST_NAT_DONE, orig.dst_addr(), reply.src_addr());
    let snat = is_translated(SRC_NAT_DONE, orig.src_addr(), reply.dst_addr());
    address(out, if dnat { b" -g " } else { b" -r " }, reply.src_addr());
    address(out, if snat { b" -n " } else { b" -q " }, reply.dst_addr());
    out.extend_from_slice(b" -p ");
    match proto::name(orig.protonum) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => bytes::number(out, orig.protonum),
    }
    layer4(out, orig, reply, entry.protoinfo.is_some());
    if let Some(info) = &entry.protoinfo {
        protoinfo(out, orig.protonum, info);
    }
    if entry.labels.is_some() {
        labels(out, entry, event, names);
    }
    out.push(b'\n');
}

fn layer4(out: &mut Vec<u8>, orig: &Tuple, reply: &Tuple, handled: bool) {
    let protonum = orig.protonum;
    let (kind, code) = orig.icmp_type_code();
    match protonum {
        proto::ICMP => {
            number(out, b" --icmp-type ", Some(kind));
            number(out, b" --icmp-code ", Some(code));
            number(out, b" --icmp-id ", Some(orig.src_port()));
        }
        proto::ICMPV6 => {
            number(out, b" --icmpv6-type ", Some(kind));
            number(out, b" --icmpv6-code ", Some(code));
            number(out, b" --icmpv6-id ", Some(orig.src_port()));
        }
        proto::GRE => {
            number(out, b" --srckey ", Some(orig.src_port()));
            number(out, b" --dstkey ", Some(orig.dst_port()));
            number(out, b" --reply-key-src ", Some(reply.src_port()));
            number(out, b" --reply-key-dst ", Some(reply.dst_port()));
        }
        // A kernel that has no handler for DCCP or UDPLITE keeps their entries without ports.
        _ if proto::has_ports(protonum) && (handled || has_l4(orig) || has_l4(reply)) => {
            number(out, b" --sport ", Some(orig.src_port()));
            number(out, b" --dport ", Some(orig.dst_port()));
            number(out, b" --reply-port-src ", Some(reply.src_port()));
            number(out, b" --reply-port-dst ", Some(reply.dst_port()));
        }
        _ => {}
    }
}

fn has_l4(tuple: &Tuple) -> bool {
    tuple.src_l4 != [0; 2] || tuple.dst_l4 != [0; 2]
}

fn protoinfo(out: &mut Vec<u8>, protonum: u8, info: &ProtoInfo) {
    if let Some(state) = info.state() {
        // A state without a name has no option value.
        let known = names::state(protonum, state).filter(|name| *name != "UNKNOWN");
        if let Some(name) = known {
            word(out, b" --state ", name);
        }
    }
    match info {
        ProtoInfo::Tcp(_) => {}
        ProtoInfo::Sctp(sctp) => {
            number(out, b" --orig-vtag ", sctp.vtag_orig.map(u32::swap_bytes));
            number(out, b" --reply-vtag ", sctp.vtag_reply.map(u32::swap_bytes));
        }
        ProtoInfo::Dccp(dccp) => {
            let known = dccp.role.filter(|role| !matches!(role, DccpRole::Other(_)));
            if let Some(role) = known {
                word(out, b" --role ", role.name());
            }
        }
    }
}

/// The last option, quoted if a name contains a space, so that it can be read back.
fn labels(out: &mut Vec<u8>, entry: &Entry<'_>, event: Option<Event>, names: Option<&LabelMap>) {
    let no_names = LabelMap::default();
    let names = names.unwrap_or(&no_names);
    let words: Vec<String> = entry
        .label_bits()
        .filter_map(|bit| Some(names.word(u16::try_from(bit).ok()?)))
        .collect();
    if words.is_empty() {
        return;
    }
    out.extend_from_slice(if event == Some(Event::Destroy) {
        b" -l "
    } else {
        b" --label-add ".as_slice()
    });
    let quote = words.iter().any(|word| word.contains(' '));
    let quote = if quote { b"\"".as_slice() } else { b"" };
    out.extend_from_slice(quote);
    out.extend_from_slice(words.join(",").as_bytes());
    out.extend_from_slice(quote);
}

/// Words separated by commas, or conntrack's word for none.
fn list<'a>(out: &mut Vec<u8>, words: impl Iterator<Item = &'a &'static str>) {
    let begun_at = out.len();
    for word in words {
        if out.len() > begun_at {
            out.push(b',');
        }
        out.extend_from_slice(word.as_bytes());
    }
    if out.len() == begun_at {
        out.extend_from_slice(b"UNSET");
    }
}

#[inline]
fn number(out: &mut Vec<u8>, option: &'static [u8], value: Option<impl itoa::Integer>) {
    if let Some(value) = value {
        bytes::short(out, option);
        bytes::number(out, value);
    }
}

#[inline]
fn address(out: &mut Vec<u8>, option: &'static [u8], value: IpAddr) {
    bytes::short(out, option);
    bytes::address(out, value);
}

#[inline]
fn word(out: &mut Vec<u8>, option: &'static [u8], value: &'static str) {
    bytes::short(out, option);
    bytes::short(out, value.as_bytes());
}
