//! Parser for a flow in conntrack's notation: typed words, or a whole pasted line.

use std::net::IpAddr;

use rsct_common::Tuple;

use crate::{
    filter::{protocol, values},
    names::proto,
};

/// A parsed flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamedFlow {
    /// One direction: the original one, if the words are in conntrack's order.
    pub orig: Tuple,
    /// The other direction, if it was given.
    pub reply: Option<Tuple>,
    /// The zone, if one was given.
    pub zone: Option<u16>,
}

/// Cause of a parse error.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum WordsError {
    /// No word is part of a tuple.
    #[error(
        "{0:?} is not a flow: write it as conntrack prints it, such as `udp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2`"
    )]
    NoTuple(String),
    /// No protocol precedes `src=`.
    #[error("the flow names no protocol: begin with one, such as `udp src=…`")]
    NoProtocol,
    /// A value is malformed.
    #[error("{word:?}: expected {expected}")]
    Value {
        /// The word.
        word: String,
        /// The expected value.
        expected: &'static str,
    },
    /// A word occurs more often than an entry has directions.
    #[error("{0}= occurs too often: an entry has two directions")]
    TooOften(&'static str),
    /// A word that a flow of this protocol needs is missing.
    #[error("the flow's {direction} lacks {missing}=")]
    Lacks {
        /// The direction.
        direction: &'static str,
        /// The missing word.
        missing: &'static str,
    },
    /// Addresses of different families.
    #[error("the flow has addresses of two families")]
    Families,
}

/// Separators of words in addition to blanks: quotes and brackets from the source of the paste.
const BETWEEN: &[char] = &[
    '"', '\'', '`', ',', ';', '|', '(', ')', '{', '}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}',
    '\u{201e}', '\u{ab}', '\u{bb}',
];

/// Parses a flow. Each element may hold several words. Unknown words are skipped: other printers, kernels and logs add
/// words of their own to an entry's line.
pub(crate) fn parse<S: AsRef<str>>(typed: &[S]) -> Result<NamedFlow, WordsError> {
    let is_between = |letter: char| letter.is_whitespace() || BETWEEN.contains(&letter);
    let words: Vec<&str> = typed
        .iter()
        .flat_map(|word| word.as_ref().split(is_between))
        .filter(|word| !word.is_empty())
        .collect();
    let is_first = |word: &&str| matches!(word.split_once('='), Some(("src" | "dst", _)));
    let Some(first) = words.iter().position(is_first) else {
        let typed: Vec<&str> = typed.iter().map(AsRef::as_ref).collect();
        return Err(WordsError::NoTuple(typed.join(" ")));
    };
    let protonum = protocol_of(&words[..first])?;
    let mut sides = [Side::default(), Side::default()];
    let mut zone = None;
    let mut reply = false;
    for word in &words[first..] {
        let Some((key, value)) = word.split_once('=') else {
            continue;
        };
        if key == "src" && sides[0].src.is_some() {
            if reply {
                return Err(WordsError::TooOften("src"));
            }
            reply = true;
        }
        let side = &mut sides[usize::from(reply)];
        match key {
            "zone" | "zone-orig" | "zone-reply" => {
                let number = number(word, value, "a zone from 0 to 65535")?;
                // The zone of one direction is still the entry's.
                zone = Some(number);
            }
            // The entry's id, after the id of an ICMP query.
            "id" if side.src_l4.is_some() => {}
            _ => side.set(protonum, key, word, value)?,
        }
    }
    let [orig, other] = sides;
    Ok(NamedFlow {
        orig: orig.tuple(protonum, "original direction")?,
        reply: if reply {
            Some(other.tuple(protonum, "reply direction")?)
        } else {
            None
        },
        zone,
    })
}

/// The protocol among the words before the first direction: its name, then perhaps its number and more. The last one
/// counts, as columns of logs and namespaces precede it.
fn protocol_of(words: &[&str]) -> Result<u8, WordsError> {
    // `udp      17 29`, `unknown  50 599`: a name with its number is preferred to a name alone, which may be that of a
    // namespace.
    for pair in words.windows(2).rev() {
        let number = pair[1].parse::<u8>().ok();
        if number.is_some() && (pair[0] == "unknown" || named(pair[0]) == number) {
            return number.ok_or(WordsError::NoProtocol);
        }
    }
    if let Some(number) = words.iter().rev().find_map(|word| named(word)) {
        return Ok(number);
    }
    match words {
        [number] => number.parse().map_err(|_| WordsError::NoProtocol),
        _ => Err(WordsError::NoProtocol),
    }
}

/// The number of the protocol with this name.
fn named(word: &str) -> Option<u8> {
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    (!is_number).then(|| protocol::parse(word)).flatten()
}

fn number<T: TryFrom<u64>>(word: &str, value: &str, expected: &'static str) -> Result<T, WordsError> {
    values::number(value).ok_or_else(|| WordsError::Value {
        word: word.to_owned(),
        expected,
    })
}

/// One direction, as far as it is parsed.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    /// Source port, ICMP id, GRE key.
    src_l4: Option<u16>,
    /// Destination port, GRE key.
    dst_l4: Option<u16>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
}

impl Side {
    /// Sets the word if it is part of a tuple of the protocol, and skips other words.
    fn set(&mut self, protonum: u8, key: &str, word: &str, value: &str) -> Result<(), WordsError> {
        const PORT: &str = "a port from 0 to 65535";
        const KEY: &str = "a key from 0 to 0xffff";
        let (has_ports, is_icmp) = (proto::has_ports(protonum), proto::is_icmp(protonum));
        let has_keys = protonum == proto::GRE;
        let address = || {
            value
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .map_err(|_| WordsError::Value {
                    word: word.to_owned(),
                    expected: "an IPv4 or IPv6 address",
                })
        };
        match key {
            "src" => once(&mut self.src, "src", address()?),
            "dst" => once(&mut self.dst, "dst", address()?),
            "sport" if has_ports => once(&mut self.src_l4, "sport", number(word, value, PORT)?),
            "dport" if has_ports => once(&mut self.dst_l4, "dport", number(word, value, PORT)?),
            "srckey" if has_keys => once(&mut self.src_l4, "srckey", number(word, value, KEY)?),
            "dstkey" if has_keys => once(&mut self.dst_l4, "dstkey", number(word, value, KEY)?),
            "id" if is_icmp => once(&mut self.src_l4, "id", number(word, value, "an ICMP id")?),
            "type" if is_icmp => once(&mut self.icmp_type, "type", number(word, value, "an ICMP type")?),
            "code" if is_icmp => once(&mut self.icmp_code, "code", number(word, value, "an ICMP code")?),
            _ => Ok(()),
        }
    }

    fn tuple(&self, protonum: u8, direction: &'static str) -> Result<Tuple, WordsError> {
        let lacks = |missing| WordsError::Lacks { direction, missing };
        let mut tuple = Tuple {
            protonum,
            ..Tuple::default()
        };
        let src = self.src.ok_or_else(|| lacks("src"))?;
        let dst = self.dst.ok_or_else(|| lacks("dst"))?;
        put(&mut tuple, src, dst)?;
        if proto::has_ports(protonum) {
            tuple.src_l4 = self.src_l4.ok_or_else(|| lacks("sport"))?.to_be_bytes();
            tuple.dst_l4 = self.dst_l4.ok_or_else(|| lacks("dport"))?.to_be_bytes();
        } else if proto::is_icmp(protonum) {
            tuple.src_l4 = self.src_l4.ok_or_else(|| lacks("id"))?.to_be_bytes();
            let icmp_type = self.icmp_type.ok_or_else(|| lacks("type"))?;
            tuple.dst_l4 = [icmp_type, self.icmp_code.unwrap_or(0)];
        } else if protonum == proto::GRE {
            tuple.src_l4 = self.src_l4.unwrap_or(0).to_be_bytes();
            tuple.dst_l4 = self.dst_l4.unwrap_or(0).to_be_bytes();
        }
        Ok(tuple)
    }
}

fn once<T>(slot: &mut Option<T>, key: &'static str, value: T) -> Result<(), WordsError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(WordsError::TooOften(key)),
    }
}

fn put(tuple: &mut Tuple, src: IpAddr, dst: IpAddr) -> Result<(), WordsError> {
    let family: u16 = match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            tuple.src[..4].copy_from_slice(&src.octets());
            tuple.dst[..4].copy_from_slice(&dst.octets());
            2
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            (tuple.src, tuple.dst) = (src.octets(), dst.octets());
            10
        }
        _ => return Err(WordsError::Families),
    };
    tuple.l3num = family.to_ne_bytes();
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        netlink::conntrack::{Entry, samples},
        render::entry::{About, View},
    };

    fn error(typed: &str) -> String {
        parse(&[typed]).unwrap_err().to_string()
    }

    #[test]
    fn a_typed_flow_is_parsed() {
        let typed = [
            "udp",
            "src=10.0.0.1",
            "dst=10.0.0.2",
            "sport=1",
            "dport=2",
            "zone=7",
        ];
        let named = parse(&typed).unwrap();
        assert_eq!(named, parse(&[typed.join("  ")]).unwrap());
        assert_eq!(named.orig.protonum, proto::UDP);
        assert_eq!(named.orig.src_addr().to_string(), "10.0.0.1");
        assert_eq!((named.orig.src_port(), named.orig.dst_port()), (1, 2));
        assert_eq!((named.reply, named.zone), (None, Some(7)));
        let by_number = parse(&["17 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 zone=7"]);
        assert_eq!(by_number.unwrap(), named);
    }

    #[test]
    fn a_line_of_any_tool_is_parsed() {
        for line in [
            "udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=2 \
             dport=1 mark=0 zone=5 use=1",
            // /proc/net/nf_conntrack
            "ipv4     2 udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 [UNREPLIED] src=10.0.0.2 \
             dst=10.0.0.1 sport=2 dport=1 mark=0 zone=5 use=2",
            // A column with a namespace's name.
            "tcp udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 zone-orig=5 packets=1 bytes=2 src=10.0.0.2 \
             dst=10.0.0.1 sport=2 dport=1 mark=0 [start=Thu Jan  1 00:00:00 1970] use=1 id=77",
            "    [NEW] udp      17 30 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 [UNREPLIED] src=10.0.0.2 \
             dst=10.0.0.1 sport=2 dport=1 zone=5",
        ] {
            let named = parse(&[line]).unwrap();
            assert_eq!(named.orig.protonum, proto::UDP, "{line}");
            assert_eq!(named.zone, Some(5), "{line}");
            assert_eq!(
                named.reply.map(|reply| reply.src_port()),
                Some(named.orig.dst_port())
            );
        }
    }

    #[test]
    fn lines_of_gre_are_parsed() {
        // /proc/net/nf_conntrack has the timeouts before the addresses.
        let named = parse(&[
            "ipv4     2 gre      47 29 timeout=30, stream_timeout=180 src=10.0.0.1 dst=10.0.0.2 srckey=0x0 dstkey=0xa56c \
             [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 srckey=0xa56c dstkey=0x0 mark=0 zone=0 use=2",
        ]);
        let named = named.unwrap();
        assert_eq!(named.orig.protonum, proto::GRE);
        assert_eq!((named.orig.src_port(), named.orig.dst_port()), (0, 0xa56c));
        assert_eq!(named.reply.map(|reply| reply.src_port()), Some(0xa56c));
        assert_eq!(named.zone, Some(0));
    }

    #[test]
    fn words_of_other_printers_are_skipped() {
        const PLAIN: &str = "udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 \
                             dport=1 mark=0 use=1";
        let plain = parse(&[PLAIN]).unwrap();
        for line in [
            format!("\"{PLAIN}\""),
            format!("'{PLAIN}',"),
            format!("`{PLAIN}`"),
            format!("\u{201c}{PLAIN}\u{201d}"),
            format!("Nov 30 04:36:26 fw conntrackd[77]: [NEW] {PLAIN}"),
            format!("2026-11-30T04:36:26Z level=info proto=tcp msg=\"{PLAIN}\" count=3"),
            format!(
                "[1717171717.123456]\t[DESTROY] {PLAIN} [OFFLOAD, packets=3] ndpi=DNS/5 l7proto=dns rate=3 type=x id=9"
            ),
            PLAIN.replace("sport=1", "bytes=7 qos=1:20 [vendor word] sport=1"),
            PLAIN.replace(' ', ", "),
            PLAIN.replace("src=10.0.0.1", "type=unicast code=none srckey=z src=10.0.0.1"),
        ] {
            assert_eq!(parse(&[&line]), Ok(plain), "{line}");
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(parse(&words), Ok(plain), "{line}");
        }
        let bracketed = parse(&["icmpv6 src=[2001:db8::1] dst=[2001:db8::2] type=128 code=0 id=7"]);
        assert_eq!(bracketed.unwrap().orig.src_addr().to_string(), "2001:db8::1");
    }

    #[test]
    fn printed_entries_are_parsed() {
        for sample in samples::ALL {
            let payload = sample.payload();
            let entry = Entry::parse(&payload).unwrap();
            let mut line = Vec::new();
            View {
                extended: true,
                ..View::default()
            }
            .entry(&mut line, &entry, &About::default());
            let line = String::from_utf8(line).unwrap();
            let named = parse(&[&line]).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(named.orig, entry.orig, "{line}");
            let reply = named.reply.map(|reply| Tuple { dir: 1, ..reply });
            assert_eq!(reply, Some(entry.reply), "{line}");
            assert_eq!(named.zone.unwrap_or(0), entry.zone_number(), "{line}");
        }
    }

    #[test]
    fn errors_name_the_cause() {
        for (typed, expected) in [
            ("unrepleid", "\"unrepleid\" is not a flow"),
            ("", "\"\" is not a flow"),
            ("src=10.0.0.1 dst=10.0.0.2", "the flow names no protocol"),
            ("ud src=10.0.0.1 dst=10.0.0.2", "the flow names no protocol"),
            ("udp src=10.0.0.1", "the flow's original direction lacks dst="),
            (
                "udp src=10.0.0.1 dst=10.0.0.2 sport=1",
                "the flow's original direction lacks dport=",
            ),
            (
                "icmp src=10.0.0.1 dst=10.0.0.2 type=8",
                "the flow's original direction lacks id=",
            ),
            (
                "udp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.3",
                "the flow's reply direction lacks dst=",
            ),
            (
                "udp src=10.0.0.1 dst=::1 sport=1 dport=2",
                "the flow has addresses of two",
            ),
            (
                "udp src=10.0.0.300",
                "\"src=10.0.0.300\": expected an IPv4 or IPv6",
            ),
            ("udp src=10.0.0.1 sport=70000", "\"sport=70000\": expected a port"),
            (
                "udp src=10.0.0.1 dst=10.0.0.2 spot=7 dport=2",
                "the flow's original direction lacks sport=",
            ),
            (
                "udp src=10.0.0.1 and more",
                "the flow's original direction lacks dst=",
            ),
            ("udp mark=7", "\"udp mark=7\" is not a flow"),
            ("udp src=10.0.0.1 sport=1 sport=2", "sport= occurs too often"),
        ] {
            let error = error(typed);
            assert!(error.starts_with(expected), "{typed}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_a_flow_or_an_error(
            words in prop::collection::vec("(udp|icmp|17|src|dst|sport|id|zone|\\[A)?=?[0-9a-f.:]{0,9}|\\PC{0,9}", 0..12)
        ) {
            let _ = parse(&words);
        }
    }
}
