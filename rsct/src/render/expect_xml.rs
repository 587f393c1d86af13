//! Expectations as `conntrack -L expect -o xml` and `conntrack -E expect -o xml` print them, byte for byte.

use std::{io::Write as _, net::IpAddr};

use rsct_common::Tuple;

use super::{bytes, date::Date, xml};
use crate::{
    kernel::netns::NetnsName,
    names::proto,
    netlink::expect::{EventKind, Expectation, flags},
};

/// The text before the first expectation.
pub(crate) const BEGIN: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<expect>\n";
/// The text after the last one.
pub(crate) const END: &[u8] = b"</expect>\n";

/// Appends an expectation on a line of its own, with its event and its network namespace if they are given.
pub(crate) fn flow(
    out: &mut Vec<u8>,
    expectation: &Expectation<'_>,
    event: Option<EventKind>,
    netns: Option<&NetnsName>,
) {
    out.extend_from_slice(b"<flow");
    if let Some(event) = event {
        let _ = write!(out, " type=\"{}\"", event.name());
    }
    if let Some(netns) = netns {
        out.extend_from_slice(b" netns=\"");
        xml::text(out, netns.name.as_str().as_bytes());
        out.push(b'"');
    }
    rest(out, expectation, None);
}

/// The same with `-o timestamp`: the time, in local time.
pub(crate) fn flow_at(
    out: &mut Vec<u8>,
    expectation: &Expectation<'_>,
    event: Option<EventKind>,
    when: Option<Date>,
) {
    out.extend_from_slice(b"<flow");
    if let Some(event) = event {
        let _ = write!(out, " type=\"{}\"", event.name());
    }
    rest(out, expectation, when);
}

fn rest(out: &mut Vec<u8>, expectation: &Expectation<'_>, when: Option<Date>) {
    out.push(b'>');
    let family = expectation.family().map_or("unknown", |family| family.name());
    layer(out, 3, expectation.tuple.family(), family, expectation, addresses);
    let protonum = expectation.tuple.protonum;
    let name = proto::name(protonum).unwrap_or("unknown");
    layer(out, 4, protonum.into(), name, expectation, protocol);
    meta(out, expectation, when);
    out.extend_from_slice(b"</flow>\n");
}

fn layer(
    out: &mut Vec<u8>,
    layer: u8,
    number: u16,
    name: &str,
    expectation: &Expectation<'_>,
    write: impl Fn(&mut Vec<u8>, &Tuple),
) {
    // Writing to a Vec can't fail.
    let _ = write!(out, "<layer{layer} protonum=\"{number}\" protoname=\"{name}\">");
    for (tag, tuple) in [
        ("expected", &expectation.tuple),
        ("mask", &expectation.mask),
        ("master", &expectation.master),
    ] {
        element(out, tag, |out| write(out, tuple));
    }
    let _ = write!(out, "</layer{layer}>");
}

fn addresses(out: &mut Vec<u8>, tuple: &Tuple) {
    let address = |out: &mut Vec<u8>, tag, addr: IpAddr| element(out, tag, |out| bytes::address(out, addr));
    address(out, "src", tuple.src_addr());
    address(out, "dst", tuple.dst_addr());
}

fn protocol(out: &mut Vec<u8>, tuple: &Tuple) {
    let (src, dst) = (tuple.src_port(), tuple.dst_port());
    if proto::has_ports(tuple.protonum) {
        element(out, "sport", |out| bytes::number(out, src));
        element(out, "dport", |out| bytes::number(out, dst));
    } else if tuple.protonum == proto::GRE {
        element(out, "srckey", |out| bytes::hex(out, src.into()));
        element(out, "dstkey", |out| bytes::hex(out, dst.into()));
    }
}

fn meta(out: &mut Vec<u8>, expectation: &Expectation<'_>, when: Option<Date>) {
    element(out, "meta", |out| {
        if let Some(helper) = expectation.helper {
            element(out, "helper-name", |out| xml::text(out, helper));
        }
        if let Some(timeout) = expectation.timeout {
            element(out, "timeout", |out| bytes::number(out, timeout));
        }
        if let Some(class) = expectation.class {
            element(out, "class", |out| bytes::number(out, class));
        }
        if let Some(zone) = expectation.zone {
            element(out, "zone", |out| bytes::number(out, zone));
        }
        if let Some(when) = when {
            xml::when(out, when);
        }
        for name in flags::names(expectation.flags.unwrap_or(0)) {
            let _ = write!(out, "<{}/>", name.to_ascii_lowercase());
        }
    });
}

fn element(out: &mut Vec<u8>, tag: &str, inner: impl FnOnce(&mut Vec<u8>)) {
    let _ = write!(out, "<{tag}>");
    inner(out);
    let _ = write!(out, "</{tag}>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::expect::samples;

    fn written(expectation: &Expectation<'_>, event: Option<EventKind>) -> String {
        let mut out = Vec::new();
        flow(&mut out, expectation, event, None);
        String::from_utf8(out).unwrap()
    }

    /// Output of `conntrack -L expect -o xml` for the samples.
    #[test]
    fn elements_are_conntracks() {
        let payload = samples::FTP.payload();
        let expectation = Expectation::parse(&payload).unwrap();
        let expected = "<flow><layer3 protonum=\"2\" protoname=\"ipv4\"><expected><src>127.0.0.1</src>\
            <dst>127.0.0.1</dst></expected><mask><src>255.255.255.255</src><dst>255.255.255.255</dst></mask><master>\
            <src>127.0.0.1</src><dst>127.0.0.1</dst></master></layer3><layer4 protonum=\"6\" protoname=\"tcp\">\
            <expected><sport>0</sport><dport>51213</dport></expected><mask><sport>0</sport><dport>65535</dport></mask>\
            <master><sport>39734</sport><dport>21</dport></master></layer4><meta><helper-name>ftp</helper-name>\
            <timeout>299</timeout><class>0</class></meta></flow>\n";
        assert_eq!(written(&expectation, None), expected);
        let payload = samples::PERMANENT.payload();
        let permanent = Expectation::parse(&payload).unwrap();
        let end = "<timeout>299</timeout><class>0</class><permanent/></meta></flow>\n";
        assert!(written(&permanent, None).ends_with(end));
    }

    #[test]
    fn events_say_what_happened() {
        let payload = samples::FTP_V6.payload();
        let mut expectation = Expectation::parse(&payload).unwrap();
        let begin =
            "<flow type=\"destroy\"><layer3 protonum=\"10\" protoname=\"ipv6\"><expected><src>::1</src>";
        assert!(written(&expectation, Some(EventKind::Destroy)).starts_with(begin));
        expectation.helper = Some(b"a<b&c>");
        let came = written(&expectation, Some(EventKind::New));
        assert!(came.starts_with("<flow type=\"new\">"), "{came}");
        assert!(
            came.contains("<helper-name>a&lt;b&amp;c&gt;</helper-name>"),
            "{came}"
        );
        // One that the fuzzer found, and characters that XML cannot hold.
        expectation.helper = Some(b"f\x96p\x01");
        let came = written(&expectation, None);
        assert!(
            came.contains("<helper-name>f\u{fffd}p\u{fffd}</helper-name>"),
            "{came}"
        );
    }
}
