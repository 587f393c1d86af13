//! `rsct get`: the entry with a tuple.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;
use rsct_common::Tuple;

use super::{
    UsageError, is_broken_pipe,
    list::EntryFormat,
    namespaces::{Namespaces, NetnsArg},
    shared_args::FormatArg,
};
use crate::{
    filter::{Prefix, Typed},
    labels::LabelMap,
    names::proto,
    netlink::lookup,
    render::entry::{self, About},
    schema::Command,
    waiting,
};

/// Print the entry with a tuple, looked up by the kernel
///
/// The tuple may be that of either direction. The table is not read. The exit code is 1 if there is no such entry.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct get -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 40000 --dport 443
  rsct get -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-id 7 -o json")]
pub struct GetArgs {
    /// Protocol name (also from /etc/protocols) or number
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: String,
    /// Source address
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR")]
    src: String,
    /// Destination address
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR")]
    dst: String,
    /// Source port
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT")]
    sport: Option<String>,
    /// Destination port
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT")]
    dport: Option<String>,
    /// Type of an ICMP or ICMPv6 query, such as 8 or 128 for an echo request
    #[arg(long, visible_alias = "icmpv6-type", value_name = "TYPE")]
    icmp_type: Option<u8>,
    /// Code of an ICMP or ICMPv6 query (default: 0)
    #[arg(long, visible_alias = "icmpv6-code", value_name = "CODE")]
    icmp_code: Option<u8>,
    /// Id of an ICMP or ICMPv6 query
    #[arg(long, visible_alias = "icmpv6-id", value_name = "ID")]
    icmp_id: Option<u16>,
    /// GRE key of packets to the destination (default: 0)
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    srckey: Option<u16>,
    /// GRE key of packets from the destination (default: 0)
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    dstkey: Option<u16>,
    /// Conntrack zone number (default: 0)
    #[arg(short = 'w', long, value_name = "ZONE")]
    zone: Option<String>,
    #[command(flatten)]
    output: FormatArg<EntryFormat>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct get`.
pub fn run(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let (tuple, zone) = args.tuple()?;
    let namespaces = Namespaces::open(&args.netns)?;
    let labels = LabelMap::load_default();
    let view = args
        .output
        .format
        .view(Some(Command::Get), &labels, namespaces.column());
    let (mut out, mut line) = (Vec::new(), Vec::new());
    view.begin(&mut out);
    let nothing = out.len();
    let visit = namespaces.visit(async |netns, socket| {
        line.clear();
        let about = About {
            now: entry::now(),
            netns: namespaces.are_named().then_some(netns),
            ..About::default()
        };
        let found = lookup::entry(socket, &tuple, zone, |entry| {
            view.entry(&mut line, entry, &about);
        });
        if found.await? {
            view.begin_netns(&mut out, netns);
            out.extend_from_slice(&line);
        }
        Ok(())
    });
    let all_went_well = waiting::block_on(visit)?;
    let found = out.len() > nothing;
    if found {
        view.end(&mut out);
    } else {
        out.clear();
    }
    match io::stdout().write_all(&out) {
        Err(error) if !is_broken_pipe(&error) => {
            return Err(error).context("writing the entry to standard output");
        }
        _ => {}
    }
    namespaces.report_hidden();
    if !found && all_went_well {
        anyhow::bail!(
            "getting the conntrack entry with source {} and destination {}: the table has none with this tuple in \
             zone {zone}; `rsct list` with its addresses lists similar entries",
            tuple.src_addr(),
            tuple.dst_addr()
        );
    }
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl GetArgs {
    /// The tuple and the zone.
    fn tuple(&self) -> Result<(Tuple, u16), UsageError> {
        let typed = Typed {
            proto: Some(&self.proto),
            src: Some(&self.src),
            dst: Some(&self.dst),
            sport: self.sport.as_deref(),
            dport: self.dport.as_deref(),
            zone: self.zone.as_deref(),
            ..Typed::default()
        };
        let filter = typed.filter().map_err(|error| UsageError(error.to_string()))?;
        let protonum = filter.proto.unwrap_or(0);
        self.fits(protonum)?;
        let mut tuple = Tuple {
            protonum,
            ..Tuple::default()
        };
        if let Some(family) = filter.family {
            tuple.l3num = u16::from(family as u8).to_ne_bytes();
        }
        whole(&mut tuple.src, filter.src, "--src")?;
        whole(&mut tuple.dst, filter.dst, "--dst")?;
        if proto::has_ports(protonum) {
            tuple.src_l4 = needed(filter.sport, "--sport", "a port")?.to_be_bytes();
            tuple.dst_l4 = needed(filter.dport, "--dport", "a port")?.to_be_bytes();
        } else if proto::is_icmp(protonum) {
            tuple.src_l4 = needed(self.icmp_id, "--icmp-id", "an ICMP id")?.to_be_bytes();
            tuple.dst_l4 = [self.icmp_type(protonum)?, self.icmp_code.unwrap_or(0)];
        } else if protonum == proto::GRE {
            tuple.src_l4 = self.srckey.unwrap_or(0).to_be_bytes();
            tuple.dst_l4 = self.dstkey.unwrap_or(0).to_be_bytes();
        }
        Ok((tuple, filter.zone.unwrap_or(0)))
    }

    /// Rejects options that the protocol does not have. (The filter rejects ports.)
    fn fits(&self, protonum: u8) -> Result<(), UsageError> {
        let (icmp, gre) = (proto::is_icmp(protonum), protonum == proto::GRE);
        for (option, given, fits) in [
            ("--icmp-type", self.icmp_type.is_some(), icmp),
            ("--icmp-code", self.icmp_code.is_some(), icmp),
            ("--icmp-id", self.icmp_id.is_some(), icmp),
            ("--srckey", self.srckey.is_some(), gre),
            ("--dstkey", self.dstkey.is_some(), gre),
        ] {
            if given && !fits {
                return Err(UsageError(format!(
                    "{option}: protocol {protonum} has no such field"
                )));
            }
        }
        Ok(())
    }

    /// Conntrack creates entries for queries and their replies only, and the kernel rejects other types (`invmap`
    /// in net/netfilter/nf_conntrack_proto_icmp.c and _icmpv6.c).
    fn icmp_type(&self, protonum: u8) -> Result<u8, UsageError> {
        let (tracked, names): (&[u8], _) = match protonum {
            proto::ICMP => (&[0, 8, 13, 14, 15, 16, 17, 18], "0, 8 and 13 to 18"),
            _ => (&[128, 129, 139, 140], "128, 129, 139 and 140"),
        };
        let icmp_type = needed(self.icmp_type, "--icmp-type", "an ICMP type")?;
        if !tracked.contains(&icmp_type) {
            return Err(UsageError(format!(
                "--icmp-type {icmp_type}: conntrack has entries for queries and their replies, which are types {names}"
            )));
        }
        Ok(icmp_type)
    }
}

/// Writes an address that has no prefix length.
fn whole(bytes: &mut [u8; 16], prefix: Option<Prefix>, option: &str) -> Result<(), UsageError> {
    let Some(Prefix { addr, bits }) = prefix else {
        return Ok(());
    };
    let octets = match addr {
        std::net::IpAddr::V4(addr) => addr.octets().to_vec(),
        std::net::IpAddr::V6(addr) => addr.octets().to_vec(),
    };
    if usize::from(bits) != octets.len() * 8 {
        return Err(UsageError(format!(
            "{option} {addr}/{bits}: expected one address; `rsct list` accepts networks"
        )));
    }
    bytes[..octets.len()].copy_from_slice(&octets);
    Ok(())
}

fn needed<T>(value: Option<T>, option: &str, what: &str) -> Result<T, UsageError> {
    value.ok_or_else(|| {
        UsageError(format!(
            "the tuple of this protocol also has {what}: give {option}"
        ))
    })
}

/// Parses a decimal number, or a hexadecimal one after `0x`, as keys are printed.
fn parse_key(text: &str) -> Result<u16, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "expected a key from 0 to 0xffff".to_owned())
}
