//! `rsct expect create`: one, for a connection that has a helper.

use std::{net::IpAddr, process::ExitCode};

use clap::Args;
use rsct_common::Tuple;

use super::{exit_code, filter::of_tuple, reason};
use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg},
    },
    family::Family,
    filter::{Filter, Prefix, Typed},
    flow::names::proto,
    netlink::{
        Socket,
        expect::{self, Key, New, flags},
    },
    waiting,
};

/// Make an expectation for a connection that has a helper.
///
/// That connection, its master, has to be in the table; beside it, an expectation needs nothing but the destination of
/// the expected connection. Where the helper's policy allows no more, the kernel makes room by dropping the master's
/// oldest.
#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// Protocol of the master, by name (/etc/protocols too) or number.
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: String,
    /// Source address of the master.
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR")]
    src: String,
    /// Destination address of the master.
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR")]
    dst: String,
    /// Source port of the master.
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT")]
    sport: Option<String>,
    /// Destination port of the master.
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT")]
    dport: Option<String>,
    /// Protocol of the expected connection; the master's unless given.
    #[arg(long, value_name = "PROTO")]
    tuple_proto: Option<String>,
    /// Source address of the expected connection; any unless given.
    #[arg(long, value_name = "ADDR")]
    tuple_src: Option<String>,
    /// Destination address of the expected connection.
    #[arg(long, value_name = "ADDR")]
    tuple_dst: String,
    /// Source port of the expected connection; any unless given.
    #[arg(long, value_name = "PORT")]
    tuple_port_src: Option<String>,
    /// Destination port of the expected connection.
    #[arg(long, value_name = "PORT")]
    tuple_port_dst: Option<String>,
    /// Which bits of the expected source address count; all of one that is given.
    #[arg(long, value_name = "MASK", requires = "tuple_src")]
    mask_src: Option<IpAddr>,
    /// Which bits of the expected destination address count: always all of them.
    #[arg(long, value_name = "MASK")]
    mask_dst: Option<IpAddr>,
    /// Which bits of the expected source port count; all of one that is given.
    #[arg(long, value_name = "MASK", requires = "tuple_port_src")]
    mask_port_src: Option<u16>,
    /// Which bits of the expected destination port count: always all of them.
    #[arg(long, value_name = "MASK")]
    mask_port_dst: Option<u16>,
    /// Seconds until it expires; as many as its helper's policy says unless given.
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Keep it when a connection has met it.
    #[arg(long)]
    permanent: bool,
    /// Let no connection meet it.
    #[arg(long)]
    inactive: bool,
    /// Mark it as made by a helper in user space; newer kernels don't let others do that.
    #[arg(long)]
    userspace: bool,
    /// Which of its helper's policies it is under.
    #[arg(long, value_name = "CLASS")]
    class: Option<u32>,
    /// Helper of the expected connection; newer kernels take the master's, whatever is asked for.
    #[arg(long, value_name = "NAME")]
    helper: Option<String>,
    /// Conntrack zone of the master.
    #[arg(short = 'w', long, value_name = "ZONE")]
    zone: Option<String>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct expect create`.
pub(super) fn run(args: &CreateArgs) -> anyhow::Result<ExitCode> {
    let new = args.new_expectation()?;
    let namespaces = Namespaces::open(&args.netns)?;
    if namespaces.column().is_some() {
        return Err(
            UsageError("an expectation is made in one network namespace, not in all".to_owned()).into(),
        );
    }
    let visit = namespaces.visit(async |_, socket| create(socket, args, new).await);
    let all_went_well = waiting::block_on(visit)?;
    message!("1 expectations have been created.");
    Ok(exit_code(all_went_well))
}

async fn create(socket: &mut Socket, args: &CreateArgs, mut new: New<'_>) -> anyhow::Result<()> {
    // Older kernels take a class only with a helper's name, newer ones take the master's helper anyway.
    let masters;
    if new.class.is_some() && new.helper.is_none() {
        masters = reason::master(socket, &new).await?.flatten();
        new.helper = masters.as_deref();
    }
    if let Err(error) = expect::create(socket, &new).await {
        return Err(reason::why(socket, &new, args.helper.as_deref(), error).await);
    }
    if let Some(seconds) = args.timeout {
        expect::set_timeout(socket, &new, seconds).await?;
    }
    if new.flags & flags::USERSPACE != 0 {
        let key = Key {
            tuple: new.tuple,
            zone: new.zone,
            id: None,
        };
        let mut set = 0;
        expect::get(socket, &key, |expectation| set = expectation.flags.unwrap_or(0)).await?;
        if set & flags::USERSPACE == 0 {
            message!(
                "--userspace: this kernel gives that flag to nobody, the expectation is made without it"
            );
        }
    }
    Ok(())
}

impl CreateArgs {
    /// What the options mean together.
    fn new_expectation(&self) -> Result<New<'_>, UsageError> {
        let typed = Typed {
            proto: Some(&self.proto),
            src: Some(&self.src),
            dst: Some(&self.dst),
            sport: self.sport.as_deref(),
            dport: self.dport.as_deref(),
            zone: self.zone.as_deref(),
            ..Typed::default()
        };
        let of_master = typed.filter().map_err(|error| UsageError(error.to_string()))?;
        let of_tuple = of_tuple(&Typed {
            proto: Some(self.tuple_proto.as_deref().unwrap_or(&self.proto)),
            src: self.tuple_src.as_deref(),
            dst: Some(&self.tuple_dst),
            sport: self.tuple_port_src.as_deref(),
            dport: self.tuple_port_dst.as_deref(),
            ..Typed::default()
        })?;
        let master = tuple(&of_master, &["--src", "--dst", "--sport", "--dport"], true)?;
        let names = [
            "--tuple-src",
            "--tuple-dst",
            "--tuple-port-src",
            "--tuple-port-dst",
        ];
        let expected = tuple(&of_tuple, &names, false)?;
        if of_master.family != of_tuple.family {
            return Err(UsageError(
                "the master and the expected connection are of different address families".to_owned(),
            ));
        }
        let mask = self.mask(&expected, of_tuple.family.unwrap_or(Family::Ipv4))?;
        let bit = |set: bool, flag| if set { flag } else { 0 };
        Ok(New {
            master,
            tuple: expected,
            mask,
            zone: of_master.zone.unwrap_or(0),
            flags: bit(self.permanent, flags::PERMANENT)
                | bit(self.inactive, flags::INACTIVE)
                | bit(self.userspace, flags::USERSPACE),
            class: self.class,
            helper: self.helper.as_deref(),
            function: None,
            nat: None,
        })
    }

    fn mask(&self, tuple: &Tuple, family: Family) -> Result<Tuple, UsageError> {
        let bytes = if family == Family::Ipv4 { 4 } else { 16 };
        let mut mask = Tuple {
            l3num: tuple.l3num,
            protonum: tuple.protonum,
            dst_l4: [0xff; 2],
            ..Tuple::default()
        };
        mask.dst[..bytes].fill(0xff);
        match self.mask_src {
            Some(given) => put(&mut mask.src, given, family, "--mask-src")?,
            None if self.tuple_src.is_some() => mask.src[..bytes].fill(0xff),
            None => {}
        }
        if self.tuple_port_src.is_some() {
            mask.src_l4 = self.mask_port_src.unwrap_or(u16::MAX).to_be_bytes();
        }
        // nf_conntrack_tuple_mask has a source alone: the kernel would take no notice.
        let mut dst = mask.dst;
        if let Some(given) = self.mask_dst {
            put(&mut dst, given, family, "--mask-dst")?;
        }
        for (option, is_whole) in [
            ("--mask-dst", dst == mask.dst),
            (
                "--mask-port-dst",
                self.mask_port_dst.is_none_or(|mask| mask == u16::MAX),
            ),
        ] {
            if !is_whole {
                return Err(UsageError(format!(
                    "{option}: the kernel compares every bit of the destination, so only a mask of all bits is true"
                )));
            }
        }
        Ok(mask)
    }
}

/// The tuple that options for one direction mean. Only a master needs to be given whole.
fn tuple(filter: &Filter, names: &[&str; 4], whole: bool) -> Result<Tuple, UsageError> {
    let [src, dst, sport, dport] = names;
    let protonum = filter.proto.unwrap_or(0);
    let mut tuple = Tuple {
        protonum,
        ..Tuple::default()
    };
    if let Some(family) = filter.family {
        tuple.l3num = u16::from(family as u8).to_ne_bytes();
        for (bytes, prefix, name) in [
            (&mut tuple.src, filter.src, src),
            (&mut tuple.dst, filter.dst, dst),
        ] {
            if let Some(Prefix { addr, bits }) = prefix {
                if bits != if family == Family::Ipv4 { 32 } else { 128 } {
                    return Err(UsageError(format!("{name} {addr}/{bits}: expected one address")));
                }
                put(bytes, addr, family, name)?;
            }
        }
    }
    if proto::has_ports(protonum) {
        let needed = |port: Option<u16>, name: &str| {
            port.ok_or_else(|| UsageError(format!("protocol {protonum} has ports: give {name}")))
        };
        let src_port = if whole {
            needed(filter.sport, sport)?
        } else {
            filter.sport.unwrap_or(0)
        };
        tuple.src_l4 = src_port.to_be_bytes();
        tuple.dst_l4 = needed(filter.dport, dport)?.to_be_bytes();
    }
    Ok(tuple)
}

/// Writes an address into a tuple of this family.
fn put(bytes: &mut [u8; 16], addr: IpAddr, family: Family, option: &str) -> Result<(), UsageError> {
    match (addr, family) {
        (IpAddr::V4(addr), Family::Ipv4) => bytes[..4].copy_from_slice(&addr.octets()),
        (IpAddr::V6(addr), Family::Ipv6) => *bytes = addr.octets(),
        _ => {
            return Err(UsageError(format!(
                "{option} {addr}: the addresses are {}, this is not",
                family.name()
            )));
        }
    }
    Ok(())
}
