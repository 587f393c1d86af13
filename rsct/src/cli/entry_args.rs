//! Options that describe one entry, with conntrack's names.

use clap::Args;

use super::{UsageError, shared_args::EndOfHeading};
use crate::{
    entry_spec::{Opt, Spec},
    labels::LabelMap,
};

/// One entry. Options for one direction set the mirrored fields of the other unless those are given.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Entry")]
pub(super) struct EntryArgs {
    /// Address family: ipv4 or ipv6 (default: that of the addresses)
    #[arg(short, long, value_name = "FAMILY")]
    family: Option<String>,
    /// Protocol name (also from /etc/protocols) or number
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: Option<String>,
    /// Source address of the original direction
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR")]
    src: Option<String>,
    /// Destination address of the original direction
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR")]
    dst: Option<String>,
    /// Source address of the reply direction (default: the original destination)
    #[arg(short, long, value_name = "ADDR")]
    reply_src: Option<String>,
    /// Destination address of the reply direction (default: the original source)
    #[arg(long, value_name = "ADDR")]
    reply_dst: Option<String>,
    /// Source port of the original direction
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT")]
    sport: Option<String>,
    /// Destination port of the original direction
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT")]
    dport: Option<String>,
    /// Source port of the reply direction (default: the original destination port)
    #[arg(long, value_name = "PORT")]
    reply_port_src: Option<String>,
    /// Destination port of the reply direction (default: the original source port)
    #[arg(long, value_name = "PORT")]
    reply_port_dst: Option<String>,
    /// Type of an ICMP or ICMPv6 query, such as 8 or 128 for an echo request
    #[arg(long, visible_alias = "icmpv6-type", value_name = "TYPE")]
    icmp_type: Option<String>,
    /// Code of an ICMP or ICMPv6 query (default: 0)
    #[arg(long, visible_alias = "icmpv6-code", value_name = "CODE")]
    icmp_code: Option<String>,
    /// Id of an ICMP or ICMPv6 query (default: 0)
    #[arg(long, visible_alias = "icmpv6-id", value_name = "ID")]
    icmp_id: Option<String>,
    /// GRE key of packets to the destination (default: 0)
    #[arg(long, visible_alias = "orig-key-src", value_name = "KEY")]
    srckey: Option<String>,
    /// GRE key of packets from the destination (default: 0)
    #[arg(long, visible_alias = "orig-key-dst", value_name = "KEY")]
    dstkey: Option<String>,
    /// GRE key of reply packets to the reply destination
    #[arg(long, value_name = "KEY")]
    reply_key_src: Option<String>,
    /// GRE key of reply packets from the reply destination
    #[arg(long, value_name = "KEY")]
    reply_key_dst: Option<String>,
    /// State of a TCP, SCTP or DCCP connection, such as ESTABLISHED
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// SCTP verification tag of the original direction
    #[arg(long, value_name = "TAG")]
    orig_vtag: Option<String>,
    /// SCTP verification tag of the reply direction
    #[arg(long, value_name = "TAG")]
    reply_vtag: Option<String>,
    /// DCCP role of the original direction's sender: client or server
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Seconds until the entry expires
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<String>,
    /// Status bits, separated by commas: SEEN_REPLY, ASSURED, FIXED_TIMEOUT
    #[arg(short = 'u', long, value_name = "BIT,...")]
    status: Option<String>,
    /// Mark
    #[arg(short, long, value_name = "VALUE")]
    mark: Option<String>,
    /// Conntrack zone of both directions
    #[arg(short = 'w', long, value_name = "ZONE")]
    zone: Option<String>,
    /// Conntrack zone of the original direction only
    #[arg(long, value_name = "ZONE")]
    orig_zone: Option<String>,
    /// Conntrack zone of the reply direction only
    #[arg(long, value_name = "ZONE")]
    reply_zone: Option<String>,
    /// Translate the source to this address, port, or range
    ///
    /// ADDR, ADDR:PORT, [ADDR]:PORT, :PORT, or a range such as 10.0.0.1-10.0.0.9.
    #[arg(short = 'n', long, value_name = "ADDR[:PORT]")]
    src_nat: Option<String>,
    /// Translate the destination to this address, port, or range
    #[arg(short = 'g', long, value_name = "ADDR[:PORT]")]
    dst_nat: Option<String>,
    /// Labels, by name (/etc/xtables/connlabel.conf) or number
    #[arg(short, long, visible_alias = "label-add", value_name = "LABEL,...")]
    label: Vec<String>,
    /// Name of the helper, such as ftp
    #[arg(long, value_name = "NAME")]
    helper: Option<String>,
    /// Original direction of the master entry, which must exist
    #[arg(long, value_name = "PROTO,SRC,DST,SPORT,DPORT")]
    master: Option<String>,
    #[command(flatten)]
    _end: EndOfHeading,
}

impl EntryArgs {
    /// The description of the entry by all options together.
    pub(super) fn spec(&self, names: &LabelMap) -> Result<Spec, UsageError> {
        let mut spec = Spec::default();
        let mut set = |option, typed: &str| {
            spec.set(option, typed, names)
                .map_err(|error| UsageError(error.to_string()))
        };
        for (option, typed) in [
            (Opt::Family, &self.family),
            (Opt::Proto, &self.proto),
            (Opt::Src, &self.src),
            (Opt::Dst, &self.dst),
            (Opt::ReplySrc, &self.reply_src),
            (Opt::ReplyDst, &self.reply_dst),
            (Opt::Sport, &self.sport),
            (Opt::Dport, &self.dport),
            (Opt::ReplyPortSrc, &self.reply_port_src),
            (Opt::ReplyPortDst, &self.reply_port_dst),
            (Opt::IcmpType, &self.icmp_type),
            (Opt::IcmpCode, &self.icmp_code),
            (Opt::IcmpId, &self.icmp_id),
            (Opt::Srckey, &self.srckey),
            (Opt::Dstkey, &self.dstkey),
            (Opt::ReplyKeySrc, &self.reply_key_src),
            (Opt::ReplyKeyDst, &self.reply_key_dst),
            (Opt::State, &self.state),
            (Opt::OrigVtag, &self.orig_vtag),
            (Opt::ReplyVtag, &self.reply_vtag),
            (Opt::Role, &self.role),
            (Opt::Timeout, &self.timeout),
            (Opt::Status, &self.status),
            (Opt::Mark, &self.mark),
            (Opt::Zone, &self.zone),
            (Opt::OrigZone, &self.orig_zone),
            (Opt::ReplyZone, &self.reply_zone),
            (Opt::SrcNat, &self.src_nat),
            (Opt::DstNat, &self.dst_nat),
            (Opt::Helper, &self.helper),
            (Opt::Master, &self.master),
        ] {
            if let Some(typed) = typed {
                set(option, typed)?;
            }
        }
        for typed in &self.label {
            set(Opt::LabelAdd, typed)?;
        }
        Ok(spec)
    }
}
