//! Objects that several commands print.

use std::borrow::Cow;

use rsct_common::{TupleWords, loss};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    causes::window::Miss,
    flow::icmp,
    kernel::{interfaces::Names, netns},
    names::{self, proto, status},
    probe::proof,
    records::{self, Lost},
};

/// A word of rsct or of the kernel.
pub(crate) type Word = Cow<'static, str>;

/// The names of the status bits that are set.
pub(crate) fn status_names(bits: u32) -> Vec<Word> {
    status::names(bits).map(Word::from).collect()
}

/// A state's name, if the protocol has states.
pub(crate) fn state_name(protonum: u8, state: u8) -> Option<Word> {
    names::state(protonum, state).map(Word::from)
}

/// A process's name.
pub(crate) fn comm(bytes: &[u8; 16]) -> String {
    String::from_utf8_lossy(names::comm(bytes)).into_owned()
}

/// A namespace's name, if it has one.
pub(crate) fn netns_name(netns: &netns::NetnsName) -> Option<&str> {
    let name = netns.name.as_str();
    (name != itoa::Buffer::new().format(netns.inode)).then_some(name)
}

/// The name of the namespace with this inode number.
pub(crate) fn name_of(names: &Names, inode: u32) -> Option<String> {
    let name = names.netns(inode);
    let name = name.as_str();
    (name != itoa::Buffer::new().format(inode)).then(|| name.to_owned())
}

/// The namespace of an object that has one only with `--netns`.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct WithNetns<'a> {
    /// The inode number of the network namespace. Only with `--netns`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u64>,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<&'a str>,
}

impl<'a> From<Option<&'a netns::NetnsName>> for WithNetns<'a> {
    fn from(netns: Option<&'a netns::NetnsName>) -> Self {
        Self {
            netns: netns.map(|netns| netns.inode),
            netns_name: netns.and_then(netns_name),
        }
    }
}

/// The namespace of an object that always has one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct InNetns {
    /// The inode number of the network namespace
    pub netns: u64,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
}

impl From<&netns::NetnsName> for InNetns {
    fn from(netns: &netns::NetnsName) -> Self {
        Self {
            netns: netns.inode,
            netns_name: netns_name(netns).map(str::to_owned),
        }
    }
}

impl InNetns {
    /// The namespace with this inode number.
    pub(crate) fn of(names: &Names, inode: u32) -> Self {
        Self {
            netns: inode.into(),
            netns_name: name_of(names, inode),
        }
    }
}

/// A process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Task {
    /// The process on whose stack it happened
    pub pid: u32,
    /// The name of that process
    pub comm: String,
}

impl Task {
    /// The process with this id and name.
    pub(crate) fn of(pid: u32, name: &[u8; 16]) -> Self {
        Self {
            pid,
            comm: comm(name),
        }
    }
}

/// An object whose keys are names, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Map<V>(pub Vec<(Word, V)>);

impl<V> FromIterator<(Word, V)> for Map<V> {
    fn from_iter<I: IntoIterator<Item = (Word, V)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<V: Serialize> Serialize for Map<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<V: JsonSchema> JsonSchema for Map<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Map_of_{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<V>() })
    }
}

/// One direction of a flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tuple {
    /// The protocol's name, if conntrack has one: `tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, `gre`, `dccp` or `udplite`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<Word>,
    /// The protocol's number
    pub protonum: u8,
    /// The source address
    pub src: String,
    /// The destination address
    pub dst: String,
    /// The source port, if the protocol has ports
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sport: Option<u16>,
    /// The destination port, if the protocol has ports
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dport: Option<u16>,
    /// The type, with ICMP and ICMPv6
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// The code, with ICMP and ICMPv6
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
    /// The id, with ICMP and ICMPv6
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_id: Option<u16>,
    /// The key of packets to the destination, with GRE
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srckey: Option<u16>,
    /// The key of packets from the destination, with GRE
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dstkey: Option<u16>,
    /// The zone, if it is of this direction alone. Only in entries from ctnetlink
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<u16>,
    /// Packets in this direction; needs `net.netfilter.nf_conntrack_acct`. Only in entries from ctnetlink
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Bytes in this direction; needs `net.netfilter.nf_conntrack_acct`. Only in entries from ctnetlink
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl From<&rsct_common::Tuple> for Tuple {
    fn from(tuple: &rsct_common::Tuple) -> Self {
        let protonum = tuple.protonum;
        let (has_ports, is_icmp, is_gre) = (
            proto::has_ports(protonum),
            proto::is_icmp(protonum),
            protonum == proto::GRE,
        );
        let (icmp_type, icmp_code) = tuple.icmp_type_code();
        let (source, destination) = (tuple.src_port(), tuple.dst_port());
        Self {
            proto: proto::name(protonum).map(Word::from),
            protonum,
            src: address(tuple.src_addr()),
            dst: address(tuple.dst_addr()),
            sport: has_ports.then_some(source),
            dport: has_ports.then_some(destination),
            icmp_type: is_icmp.then_some(icmp_type),
            icmp_code: is_icmp.then_some(icmp_code),
            icmp_id: is_icmp.then_some(source),
            srckey: is_gre.then_some(source),
            dstkey: is_gre.then_some(destination),
            zone: None,
            packets: None,
            bytes: None,
        }
    }
}

impl From<TupleWords> for Tuple {
    fn from(words: TupleWords) -> Self {
        Self::from(&rsct_common::Tuple::from_words(words))
    }
}

/// An address as every renderer writes it.
pub(crate) fn address(address: std::net::IpAddr) -> String {
    let mut text = Vec::new();
    crate::render::bytes::address(&mut text, address);
    String::from_utf8(text).unwrap_or_default()
}

/// The sender of a netlink request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Requester {
    /// The netlink port of its socket
    pub portid: u32,
    /// The program that has the socket, if it still runs. Only in `rsct watch`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progname: Option<String>,
}

impl Requester {
    /// The one with this port; 0 is none.
    pub(crate) fn of(portid: u32) -> Option<Self> {
        (portid != 0).then_some(Self {
            portid,
            progname: None,
        })
    }
}

/// Why records may be missing that nothing counts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Unproven {
    /// The time of the first doubt, on the monotonic clock. Only in the summary of a trace
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<u64>,
    /// True if the kernel runs the attached programs; absent if the test failed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<bool>,
    /// The reason for doubt
    pub reason: String,
}

impl Unproven {
    /// Without a time.
    pub(crate) fn of(unproven: &proof::Unproven) -> Self {
        Self {
            time_ns: None,
            run: unproven.run(),
            reason: unproven.to_string(),
        }
    }
}

/// Attached hooks by form.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct HookCounts {
    /// Hooks attached by fentry and fexit
    pub fentry: usize,
    /// Hooks attached by kprobe and kretprobe
    pub kprobe: usize,
    /// Hooks attached by a tracepoint
    pub tracepoint: usize,
    /// Hooks that are not attached
    pub not_attached: usize,
}

impl From<records::HookCounts> for HookCounts {
    fn from(attached: records::HookCounts) -> Self {
        Self {
            fentry: attached.fentry,
            kprobe: attached.kprobe,
            tracepoint: attached.tracepoint,
            not_attached: attached.not,
        }
    }
}

/// Lost records of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Loss {
    /// The CPU that lost them; absent if all CPUs are counted together
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<usize>,
    /// The kind of loss, see [Kinds of loss](#kinds-of-loss)
    pub loss: Word,
    /// The number of lost records
    pub count: u64,
}

/// Program runs that the kernel skipped, and records that rsct could not decode.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(crate) struct Skips {
    /// How often the kernel did not run a program because one was running already on that CPU
    pub skipped: u64,
    /// True if hooks are attached by kprobe and the kernel does not count skips for them (before Linux 6.7)
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skips_uncounted: bool,
    /// The number of records that rsct could not decode: it must be 0
    pub malformed: u64,
}

impl Skips {
    /// From the kernel's counts and the ring's.
    pub(crate) fn of(skips: records::Skips, malformed: u64) -> Self {
        Self {
            skipped: skips.counted,
            skips_uncounted: skips.uncounted,
            malformed,
        }
    }
}

/// All losses, by CPU and kind.
pub(crate) fn losses(lost: &Lost) -> Vec<Loss> {
    let mut losses = Vec::new();
    for (cpu, counts) in lost.per_cpu.iter().enumerate() {
        for (loss, count) in loss::Loss::ALL.iter().zip(counts) {
            if *count != 0 {
                losses.push(Loss {
                    cpu: Some(cpu),
                    loss: loss.name().into(),
                    count: *count,
                });
            }
        }
    }
    losses
}

/// All losses by kind.
pub(crate) fn losses_of_all_cpus(lost: &Lost) -> Vec<Loss> {
    let each = loss::Loss::ALL.iter().enumerate();
    each.map(|(index, loss)| Loss {
        cpu: None,
        loss: loss.name().into(),
        count: lost.of(index),
    })
    .filter(|loss| loss.count != 0)
    .collect()
}

/// A TCP segment outside its window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OutOfWindow {
    /// The sequence number or acknowledgement that missed the bound
    pub value: u32,
    /// The last value inside the window
    pub bound: u32,
    /// The distance between them, in bytes
    pub missed_bytes: u32,
}

impl From<Miss> for OutOfWindow {
    fn from(miss: Miss) -> Self {
        Self {
            value: miss.value,
            bound: miss.bound,
            missed_bytes: miss.bytes,
        }
    }
}

/// An ICMP error about a packet of a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct IcmpError {
    /// The error's type
    pub icmp_type: u8,
    /// The error's code
    pub icmp_code: u8,
    /// The name of type and code: `port_unreachable`, …
    pub name: Word,
    /// The address of the host that sent the error
    pub sender: String,
}

impl From<&icmp::Error> for IcmpError {
    fn from(error: &icmp::Error) -> Self {
        Self {
            icmp_type: error.kind(),
            icmp_code: error.code(),
            name: error.name().into(),
            sender: address(error.from()),
        }
    }
}

/// A range of values and how often one of them was met.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Step {
    /// The least value
    pub from: u64,
    /// The first value beyond the range; absent if there is none
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// How often a value in the range was met
    pub count: u64,
}
