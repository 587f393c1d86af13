//! Filter options. Those that conntrack has too have its names.

use clap::Args;

use super::{UsageError, shared_args::EndOfHeading};
use crate::filter::{Filter, Typed};

/// Conditions on an entry; it has to match all of them.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Address family: ipv4 or ipv6
    #[arg(short, long, value_name = "FAMILY")]
    family: Option<String>,
    /// Protocol name (also from /etc/protocols) or number
    ///
    /// `icmp` and `icmpv6` match flows of queries; an ICMP error belongs to the flow of the packet that it quotes.
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: Option<String>,
    /// Source address of the original direction
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR[/BITS]")]
    src: Option<String>,
    /// Destination address of the original direction
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR[/BITS]")]
    dst: Option<String>,
    /// Source address of the reply direction
    #[arg(short, long, value_name = "ADDR[/BITS]")]
    reply_src: Option<String>,
    /// Destination address of the reply direction
    #[arg(short = 'q', long, value_name = "ADDR[/BITS]")]
    reply_dst: Option<String>,
    /// Any of the four addresses
    #[arg(long, visible_alias = "addr", value_name = "ADDR[/BITS]")]
    host: Option<String>,
    /// Source port of the original direction
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT")]
    sport: Option<String>,
    /// Destination port of the original direction
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT")]
    dport: Option<String>,
    /// Any of the four ports
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Source port of the reply direction
    #[arg(long, value_name = "PORT")]
    reply_port_src: Option<String>,
    /// Destination port of the reply direction
    #[arg(long, value_name = "PORT")]
    reply_port_dst: Option<String>,
    /// Conntrack zone number, of both directions or of one; 0 for no zone
    #[arg(short = 'w', long, value_name = "ZONE")]
    zone: Option<String>,
    /// Conntrack zone of the original direction only
    #[arg(long, visible_alias = "zone-orig", value_name = "ZONE")]
    orig_zone: Option<String>,
    /// Conntrack zone of the reply direction only
    #[arg(long, visible_alias = "zone-reply", value_name = "ZONE")]
    reply_zone: Option<String>,
    /// Mark; with a mask, only the masked bits are compared
    #[arg(short, long, value_name = "VALUE[/MASK]")]
    mark: Option<String>,
    /// State of TCP, SCTP or DCCP: any of the list, or with ! before each, none
    #[arg(long, value_name = "[!]STATE,...")]
    state: Option<String>,
    /// Status bits that are all set, or with ! not set
    ///
    /// ASSURED, SEEN_REPLY, EXPECTED, OFFLOAD and so on. UNREPLIED is !SEEN_REPLY.
    #[arg(short = 'u', long, value_name = "[!]BIT,...")]
    status: Option<String>,
    /// Labels that are all set, by name (/etc/xtables/connlabel.conf) or number
    #[arg(short, long, value_name = "LABEL,...")]
    label: Option<String>,
    /// Source NAT; if given, to this address or port
    #[arg(short = 'n', long, value_name = "ADDR[:PORT]", num_args = 0..=1, default_missing_value = "")]
    src_nat: Option<String>,
    /// Destination NAT; if given, to this address or port
    #[arg(short = 'g', long, value_name = "ADDR[:PORT]", num_args = 0..=1, default_missing_value = "")]
    dst_nat: Option<String>,
    /// Source or destination NAT; if given, to this address or port
    #[arg(short = 'j', long, value_name = "ADDR[:PORT]", num_args = 0..=1, default_missing_value = "")]
    any_nat: Option<String>,
    /// Name of the helper, such as ftp
    #[arg(long, value_name = "NAME")]
    helper: Option<String>,
    /// Security mark; with a mask, only the masked bits are compared
    #[arg(short = 'c', long, value_name = "VALUE[/MASK]")]
    secmark: Option<String>,
    /// Entry id, as printed by `-o json`
    #[arg(short = 'i', long, value_name = "ID")]
    id: Option<String>,
    /// Type of an ICMP or ICMPv6 query
    #[arg(long, visible_alias = "icmpv6-type", value_name = "TYPE")]
    icmp_type: Option<String>,
    /// Code of an ICMP or ICMPv6 query
    #[arg(long, visible_alias = "icmpv6-code", value_name = "CODE")]
    icmp_code: Option<String>,
    /// Id of an ICMP or ICMPv6 query
    #[arg(long, visible_alias = "icmpv6-id", value_name = "ID")]
    icmp_id: Option<String>,
    #[command(flatten)]
    _end: EndOfHeading,
}

impl FilterArgs {
    /// The filter of all options together.
    pub fn filter(&self) -> Result<Filter, UsageError> {
        let typed = Typed {
            family: self.family.as_deref(),
            proto: self.proto.as_deref(),
            src: self.src.as_deref(),
            dst: self.dst.as_deref(),
            reply_src: self.reply_src.as_deref(),
            reply_dst: self.reply_dst.as_deref(),
            host: self.host.as_deref(),
            sport: self.sport.as_deref(),
            dport: self.dport.as_deref(),
            port: self.port.as_deref(),
            reply_port_src: self.reply_port_src.as_deref(),
            reply_port_dst: self.reply_port_dst.as_deref(),
            zone: self.zone.as_deref(),
            orig_zone: self.orig_zone.as_deref(),
            reply_zone: self.reply_zone.as_deref(),
            mark: self.mark.as_deref(),
            state: self.state.as_deref(),
            status: self.status.as_deref(),
            label: self.label.as_deref(),
            src_nat: self.src_nat.as_deref(),
            dst_nat: self.dst_nat.as_deref(),
            any_nat: self.any_nat.as_deref(),
            helper: self.helper.as_deref(),
            secmark: self.secmark.as_deref(),
            id: self.id.as_deref(),
            icmp_type: self.icmp_type.as_deref(),
            icmp_code: self.icmp_code.as_deref(),
            icmp_id: self.icmp_id.as_deref(),
        };
        typed.filter().map_err(|error| UsageError(error.to_string()))
    }

    /// Long name and typed value of each given option.
    pub fn given(&self) -> Vec<(&'static str, &str)> {
        let options = [
            ("family", &self.family),
            ("proto", &self.proto),
            ("src", &self.src),
            ("dst", &self.dst),
            ("reply-src", &self.reply_src),
            ("reply-dst", &self.reply_dst),
            ("host", &self.host),
            ("sport", &self.sport),
            ("dport", &self.dport),
            ("port", &self.port),
            ("reply-port-src", &self.reply_port_src),
            ("reply-port-dst", &self.reply_port_dst),
            ("zone", &self.zone),
            ("orig-zone", &self.orig_zone),
            ("reply-zone", &self.reply_zone),
            ("mark", &self.mark),
            ("state", &self.state),
            ("status", &self.status),
            ("label", &self.label),
            ("src-nat", &self.src_nat),
            ("dst-nat", &self.dst_nat),
            ("any-nat", &self.any_nat),
            ("helper", &self.helper),
            ("secmark", &self.secmark),
            ("id", &self.id),
            ("icmp-type", &self.icmp_type),
            ("icmp-code", &self.icmp_code),
            ("icmp-id", &self.icmp_id),
        ];
        let given = options
            .into_iter()
            .filter_map(|(option, value)| Some((option, value.as_deref()?)));
        given.collect()
    }
}
