//! The options that say which entries are meant, named as conntrack names them where it has them.

use clap::Args;

use super::UsageError;
use crate::{
    filter::{Filter, Typed},
    netlink::conntrack::Entry,
};

/// Which entries. Conditions add up: an entry is meant that meets all of them.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Address family: ipv4 or ipv6.
    #[arg(short, long, value_name = "FAMILY")]
    family: Option<String>,
    /// Protocol, by name (/etc/protocols too) or number.
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: Option<String>,
    /// Source address of the original direction.
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR[/BITS]")]
    src: Option<String>,
    /// Destination address of the original direction.
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR[/BITS]")]
    dst: Option<String>,
    /// Source address of the reply direction.
    #[arg(short, long, value_name = "ADDR[/BITS]")]
    reply_src: Option<String>,
    /// Destination address of the reply direction.
    #[arg(short = 'q', long, value_name = "ADDR[/BITS]")]
    reply_dst: Option<String>,
    /// Any of the four addresses.
    #[arg(long, visible_alias = "addr", value_name = "ADDR[/BITS]")]
    host: Option<String>,
    /// Source port of the original direction.
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT")]
    sport: Option<String>,
    /// Destination port of the original direction.
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT")]
    dport: Option<String>,
    /// Any of the four ports.
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Conntrack zone that holds for both directions; 0 for entries in none.
    #[arg(short = 'w', long, value_name = "ZONE")]
    zone: Option<String>,
    /// Mark: the masked bits must be VALUE.
    #[arg(short, long, value_name = "VALUE[/MASK]")]
    mark: Option<String>,
}

impl FilterArgs {
    /// What the options mean together.
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
            zone: self.zone.as_deref(),
            mark: self.mark.as_deref(),
        };
        typed.filter().map_err(|error| UsageError(error.to_string()))
    }
}

/// Whether an entry as ctnetlink sends it is meant.
pub(super) fn meets(filter: &Filter, entry: &Entry<'_>) -> bool {
    let mark = entry.mark.unwrap_or(0);
    filter.matches(&entry.orig, &entry.reply, entry.zone_id(), mark)
}
