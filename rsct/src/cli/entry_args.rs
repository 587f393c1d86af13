//! The options that describe one entry, named as conntrack names them.

use clap::Args;

use super::UsageError;
use crate::{
    entry_spec::{Opt, Spec},
    labels::LabelMap,
};

/// One entry. What is said of one direction holds for the other the other way round, unless that is given too.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Entry")]
pub struct EntryArgs {
    /// Address family, ipv4 or ipv6; the addresses tell it too.
    #[arg(short, long, value_name = "FAMILY")]
    family: Option<String>,
    /// Protocol, by name (/etc/protocols too) or number.
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: Option<String>,
    /// Source address of the original direction.
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR")]
    src: Option<String>,
    /// Destination address of the original direction.
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR")]
    dst: Option<String>,
    /// Source address of the reply direction; the original destination unless given.
    #[arg(short, long, value_name = "ADDR")]
    reply_src: Option<String>,
    /// Destination address of the reply direction; the original source unless given.
    #[arg(long, value_name = "ADDR")]
    reply_dst: Option<String>,
    /// Source port of the original direction.
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT")]
    sport: Option<String>,
    /// Destination port of the original direction.
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT")]
    dport: Option<String>,
    /// Source port of the reply direction; the original destination port unless given.
    #[arg(long, value_name = "PORT")]
    reply_port_src: Option<String>,
    /// Destination port of the reply direction; the original source port unless given.
    #[arg(long, value_name = "PORT")]
    reply_port_dst: Option<String>,
    /// Type of an ICMP or ICMPv6 query, such as 8 or 128 for an echo request.
    #[arg(long, visible_alias = "icmpv6-type", value_name = "TYPE")]
    icmp_type: Option<String>,
    /// Its code; 0 unless given.
    #[arg(long, visible_alias = "icmpv6-code", value_name = "CODE")]
    icmp_code: Option<String>,
    /// Its id; 0 unless given.
    #[arg(long, visible_alias = "icmpv6-id", value_name = "ID")]
    icmp_id: Option<String>,
    /// GRE key of the packets to the destination; 0 unless given.
    #[arg(long, visible_alias = "orig-key-src", value_name = "KEY")]
    srckey: Option<String>,
    /// GRE key of the packets from the destination; 0 unless given.
    #[arg(long, visible_alias = "orig-key-dst", value_name = "KEY")]
    dstkey: Option<String>,
    /// GRE key of the reply direction's packets to its destination.
    #[arg(long, value_name = "KEY")]
    reply_key_src: Option<String>,
    /// GRE key of the reply direction's packets from its destination.
    #[arg(long, value_name = "KEY")]
    reply_key_dst: Option<String>,
    /// State of a TCP, SCTP or DCCP connection, such as ESTABLISHED.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Verification tag of an SCTP association's original direction.
    #[arg(long, value_name = "TAG")]
    orig_vtag: Option<String>,
    /// Verification tag of its reply direction.
    #[arg(long, value_name = "TAG")]
    reply_vtag: Option<String>,
    /// Who the original direction's sender is in DCCP: client or server.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Seconds until the entry expires.
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<String>,
    /// Status bits, with commas between: SEEN_REPLY, ASSURED, FIXED_TIMEOUT.
    #[arg(short = 'u', long, value_name = "BIT,...")]
    status: Option<String>,
    /// Mark.
    #[arg(short, long, value_name = "VALUE")]
    mark: Option<String>,
    /// Conntrack zone that holds for both directions.
    #[arg(short = 'w', long, value_name = "ZONE")]
    zone: Option<String>,
    /// Conntrack zone that holds for the original direction alone.
    #[arg(long, value_name = "ZONE")]
    orig_zone: Option<String>,
    /// Conntrack zone that holds for the reply direction alone.
    #[arg(long, value_name = "ZONE")]
    reply_zone: Option<String>,
    /// What the source is translated to: ADDR, ADDR:PORT, [ADDR]:PORT, :PORT, or a range of them, 10.0.0.1-10.0.0.9.
    #[arg(short = 'n', long, value_name = "ADDR[:PORT]")]
    src_nat: Option<String>,
    /// What the destination is translated to.
    #[arg(short = 'g', long, value_name = "ADDR[:PORT]")]
    dst_nat: Option<String>,
    /// Labels, by name (/etc/xtables/connlabel.conf) or number.
    #[arg(short, long, visible_alias = "label-add", value_name = "LABEL,...")]
    label: Vec<String>,
    /// Helper, such as ftp.
    #[arg(long, value_name = "NAME")]
    helper: Option<String>,
    /// The original direction of the entry that this one belongs to, which must be there.
    #[arg(long, value_name = "PROTO,SRC,DST,SPORT,DPORT")]
    master: Option<String>,
}

impl EntryArgs {
    /// What the options say together.
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
