//! The options of one entry, collected one by one.

use std::net::IpAddr;

use rsct_common::Tuple;

use super::{Opt, SpecError, labels::LabelBits, value};
use crate::{
    family::Family,
    filter::{HelperName, protocol},
    labels::LabelMap,
    names::proto,
    netlink::conntrack::{DccpRole, Nat},
};

const ADDRESS: &str = "expected an IPv4 or IPv6 address";
const PORT: &str = "expected a port from 0 to 65535";
const KEY: &str = "expected a key from 0 to 0xffff";
const ZONE: &str = "expected a zone from 0 to 65535";
const BYTE: &str = "expected a number from 0 to 255";
const NUMBER: &str = "expected a 32-bit number";
const NAT: &str =
    "expected ADDR, ADDR:PORT, [ADDR]:PORT or :PORT, each optionally a range such as 10.0.0.1-10.0.0.9";

/// One entry as options describe it. It owns all its values inline, and is rebuilt for every line of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spec {
    given: u64,
    pub(super) family: Option<Family>,
    pub(super) proto: Option<u8>,
    pub(super) src: Option<IpAddr>,
    pub(super) dst: Option<IpAddr>,
    pub(super) reply_src: Option<IpAddr>,
    pub(super) reply_dst: Option<IpAddr>,
    /// Ports, or GRE keys.
    pub(super) sport: Option<u16>,
    pub(super) dport: Option<u16>,
    pub(super) reply_sport: Option<u16>,
    pub(super) reply_dport: Option<u16>,
    pub(super) icmp_type: Option<u8>,
    pub(super) icmp_code: Option<u8>,
    pub(super) icmp_id: Option<u16>,
    pub(super) zone: Option<u16>,
    pub(super) zone_orig: Option<u16>,
    pub(super) zone_reply: Option<u16>,
    /// The state's number in each protocol that has states.
    pub(super) states: Option<[Option<u8>; 3]>,
    pub(super) timeout: Option<u32>,
    pub(super) status: Option<u32>,
    pub(super) mark: Option<(u32, Option<u32>)>,
    pub(super) nat_src: Option<Nat>,
    pub(super) nat_dst: Option<Nat>,
    pub(super) labels_add: Option<LabelBits>,
    pub(super) labels_del: Option<LabelBits>,
    pub(super) helper: Option<HelperName>,
    pub(super) vtag_orig: Option<u32>,
    pub(super) vtag_reply: Option<u32>,
    pub(super) role: Option<DccpRole>,
    pub(super) master: Option<Tuple>,
    pub(super) id: Option<u32>,
    pub(super) secmark: Option<u32>,
    /// See [`Spec::allow_portless`].
    pub(super) portless: bool,
    /// See [`Spec::allow_offloaded`].
    pub(super) timeout_follows: bool,
}

impl Spec {
    /// Returns whether an option was given.
    pub fn has(&self, option: Opt) -> bool {
        self.given & option.bit() != 0
    }

    /// Returns whether no option was given.
    pub fn is_empty(&self) -> bool {
        self.given == 0
    }

    /// Returns whether only options of this list were given.
    pub fn has_only(&self, options: &[Opt]) -> bool {
        let allowed = options.iter().fold(0, |bits, option| bits | option.bit());
        self.given & !allowed == 0
    }

    /// The family given with `--family`.
    pub fn family(&self) -> Option<Family> {
        self.family
    }

    /// Sets an option from its typed value.
    pub fn set(&mut self, option: Opt, typed: &str, names: &LabelMap) -> Result<(), SpecError> {
        self.note(option)?;
        let wrong = |expected| {
            move || SpecError::Value {
                option,
                value: typed.to_owned(),
                expected,
            }
        };
        macro_rules! take {
            ($field:ident, $parsed:expr, $expected:expr) => {
                self.$field = Some($parsed.ok_or_else(wrong($expected))?)
            };
        }
        match option {
            Opt::Sport => take!(sport, value::number(typed), PORT),
            Opt::Dport => take!(dport, value::number(typed), PORT),
            Opt::ReplyPortSrc => take!(reply_sport, value::number(typed), PORT),
            Opt::ReplyPortDst => take!(reply_dport, value::number(typed), PORT),
            Opt::Srckey => take!(sport, value::number(typed), KEY),
            Opt::Dstkey => take!(dport, value::number(typed), KEY),
            Opt::ReplyKeySrc => take!(reply_sport, value::number(typed), KEY),
            Opt::ReplyKeyDst => take!(reply_dport, value::number(typed), KEY),
            Opt::Src => take!(src, value::address(typed), ADDRESS),
            Opt::Dst => take!(dst, value::address(typed), ADDRESS),
            Opt::ReplySrc => take!(reply_src, value::address(typed), ADDRESS),
            Opt::ReplyDst => take!(reply_dst, value::address(typed), ADDRESS),
            Opt::Proto => take!(
                proto,
                protonum(typed),
                "expected a protocol name, such as tcp, or a number from 0 to 255"
            ),
            Opt::Family => take!(family, value::family(typed), "expected ipv4 or ipv6"),
            Opt::State => take!(
                states,
                value::states(typed),
                "expected a state of TCP, SCTP or DCCP, such as ESTABLISHED"
            ),
            Opt::Timeout => take!(timeout, value::number(typed), "expected a number of seconds"),
            Opt::Status => take!(
                status,
                value::status(typed),
                "expected SEEN_REPLY, ASSURED, FIXED_TIMEOUT, EXPECTED or UNSET, separated by commas; the \
                 kernel sets the other bits itself"
            ),
            Opt::Mark => take!(
                mark,
                value::masked(typed),
                "expected a mark of 32 bits with an optional mask, such as 0x10/0xff"
            ),
            Opt::Zone => take!(zone, value::number(typed), ZONE),
            Opt::OrigZone => take!(zone_orig, value::number(typed), ZONE),
            Opt::ReplyZone => take!(zone_reply, value::number(typed), ZONE),
            Opt::SrcNat => take!(nat_src, value::nat(typed), NAT),
            Opt::DstNat => take!(nat_dst, value::nat(typed), NAT),
            Opt::LabelAdd | Opt::LabelDel => {
                let expected = "expected labels separated by commas, each a name from /etc/xtables/connlabel.conf or \
                                a number from 0 to 127";
                let more = LabelBits::parse(typed, names).ok_or_else(wrong(expected))?;
                let labels = if option == Opt::LabelAdd {
                    &mut self.labels_add
                } else {
                    &mut self.labels_del
                };
                *labels = Some(labels.unwrap_or(LabelBits::NONE).with(more));
            }
            Opt::Helper => take!(
                helper,
                HelperName::new(typed),
                "expected a helper name of 1 to 15 characters, such as ftp"
            ),
            Opt::Id => take!(id, value::number(typed), NUMBER),
            Opt::IcmpType => take!(icmp_type, value::number(typed), BYTE),
            Opt::IcmpCode => take!(icmp_code, value::number(typed), BYTE),
            Opt::IcmpId => take!(icmp_id, value::number(typed), "expected an id from 0 to 65535"),
            Opt::OrigVtag => take!(vtag_orig, value::number(typed), NUMBER),
            Opt::ReplyVtag => take!(vtag_reply, value::number(typed), NUMBER),
            Opt::Role => take!(role, role(typed), "expected client or server"),
            Opt::Master => take!(
                master,
                value::master(typed),
                "expected the original direction of an entry as PROTO,SRC,DST,SPORT,DPORT"
            ),
            Opt::Secmark => take!(secmark, value::number(typed), NUMBER),
        }
        Ok(())
    }

    /// Sets an option without a value, if that is allowed: deletes all labels.
    pub fn set_bare(&mut self, option: Opt) -> Result<(), SpecError> {
        debug_assert!(option.is_value_optional());
        self.note(option)?;
        self.labels_del = Some(LabelBits::ALL);
        Ok(())
    }

    /// Accepts a DCCP or UDPLITE entry without ports, as saved on a kernel without a handler for the protocol.
    pub fn allow_portless(&mut self) {
        self.portless = true;
    }

    /// Accepts entries without a timeout, as saved from a flowtable, for which the kernel reports neither the timeout
    /// nor TCP's state: the state becomes ESTABLISHED, and the timeout is filled in later. Returns whether it applies.
    pub fn allow_offloaded(&mut self) -> bool {
        self.timeout_follows = self.timeout.is_none();
        if self.timeout_follows && self.states.is_none() && self.proto == Some(proto::TCP) {
            self.states = value::states("ESTABLISHED");
        }
        self.timeout_follows
    }

    /// Swaps the bytes of SCTP's verification tags: conntrack prints and reads them swapped.
    pub fn swap_vtag_bytes(&mut self) {
        self.vtag_orig = self.vtag_orig.map(u32::swap_bytes);
        self.vtag_reply = self.vtag_reply.map(u32::swap_bytes);
    }

    fn note(&mut self, option: Opt) -> Result<(), SpecError> {
        if self.has(option) && !option.adds_up() {
            return Err(SpecError::Twice(option));
        }
        self.given |= option.bit();
        Ok(())
    }
}

/// A protocol's number; the two most frequent names bypass the search.
fn protonum(typed: &str) -> Option<u8> {
    match typed {
        "tcp" => Some(proto::TCP),
        "udp" => Some(proto::UDP),
        _ => protocol::parse(typed),
    }
}

fn role(typed: &str) -> Option<DccpRole> {
    [DccpRole::Client, DccpRole::Server]
        .into_iter()
        .find(|role| role.name().eq_ignore_ascii_case(typed))
}
