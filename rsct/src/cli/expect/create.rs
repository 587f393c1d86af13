//! `rsct expect create`: a new expectation, for a connection that has a helper.

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
    names::proto,
    netlink::{
        Socket,
        expect::{self, Key, New, flags},
    },
    waiting,
};

/// Create an expectation for a connection that has a helper
///
/// That connection, the master, must be in the table. Of the expected connection only the destination is required. If the
/// helper's policy allows no more expectations, the kernel deletes the oldest one of the master.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct expect create -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 40000 --dport 21 \\
    --tuple-dst 10.0.0.1 --tuple-port-dst 7787
  rsct expect create -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 4000 --dport 69 \\
    --tuple-dst 10.0.0.1 --tuple-port-dst 4000 --permanent")]
pub(super) struct CreateArgs {
    /// Protocol of the master: name (also from /etc/protocols) or number
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: String,
    /// Source address of the master
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR")]
    src: String,
    /// Destination address of the master
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR")]
    dst: String,
    /// Source port of the master
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT")]
    sport: Option<String>,
    /// Destination port of the master
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT")]
    dport: Option<String>,
    /// Protocol of the expected connection (default: that of the master)
    #[arg(long, value_name = "PROTO")]
    tuple_proto: Option<String>,
    /// Source address of the expected connection (default: any)
    #[arg(long, value_name = "ADDR")]
    tuple_src: Option<String>,
    /// Destination address of the expected connection
    #[arg(long, value_name = "ADDR")]
    tuple_dst: String,
    /// Source port of the expected connection (default: any)
    #[arg(long, value_name = "PORT")]
    tuple_port_src: Option<String>,
    /// Destination port of the expected connection
    #[arg(long, value_name = "PORT")]
    tuple_port_dst: Option<String>,
    /// Mask of the expected source address (default: all bits of --tuple-src)
    #[arg(long, value_name = "MASK", requires = "tuple_src")]
    mask_src: Option<IpAddr>,
    /// Mask of the expected destination address; must be all bits
    #[arg(long, value_name = "MASK")]
    mask_dst: Option<IpAddr>,
    /// Mask of the expected source port (default: all bits of --tuple-port-src)
    #[arg(long, value_name = "MASK", requires = "tuple_port_src")]
    mask_port_src: Option<u16>,
    /// Mask of the expected destination port; must be all bits
    #[arg(long, value_name = "MASK")]
    mask_port_dst: Option<u16>,
    /// Seconds until it expires (default: that of the helper's policy)
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Keep it after a connection matched (PERMANENT)
    #[arg(long)]
    permanent: bool,
    /// Create it inactive: no connection matches it (INACTIVE)
    #[arg(long)]
    inactive: bool,
    /// Mark it as created by a helper in user space (USERSPACE)
    ///
    /// Newer kernels set this flag only for helpers.
    #[arg(long)]
    userspace: bool,
    /// Number of the helper's policy
    #[arg(long, value_name = "CLASS")]
    class: Option<u32>,
    /// Helper of the expected connection; newer kernels use that of the master
    #[arg(long, value_name = "NAME")]
    helper: Option<String>,
    /// Conntrack zone of the master (default: 0)
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
            UsageError("--netns all: an expectation is created in one network namespace".to_owned()).into(),
        );
    }
    let visit = namespaces.visit(async |_, socket| create(socket, args, new).await);
    let all_went_well = waiting::block_on(visit)?;
    message!("1 expectation has been created.");
    Ok(exit_code(all_went_well))
}

async fn create(socket: &mut Socket, args: &CreateArgs, mut new: New<'_>) -> anyhow::Result<()> {
    // Older kernels accept a class only with a helper's name; newer ones always use the master's helper.
    let masters;
    if new.class.is_some() && new.helper.is_none() {
        masters = reason::master(socket, &new).await?.flatten();
        new.helper = masters.as_deref();
    }
    if let Err(error) = expect::create(socket, &new).await {
        return Err(reason::explain(socket, &new, args.helper.as_deref(), error).await);
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
            message!("--userspace: this kernel does not set the flag; the expectation is created without it");
        }
    }
    Ok(())
}

impl CreateArgs {
    /// The expectation of all options together.
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
                "the master and the expected connection have different address families".to_owned(),
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
        // nf_conntrack_tuple_mask has only a source: the kernel would ignore the mask.
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
                    "{option}: the kernel compares every bit of the destination, so the mask must have all bits"
                )));
            }
        }
        Ok(mask)
    }
}

/// The tuple of the options for one direction. Only the master's has to be complete (`whole`).
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
                "{option} {addr}: the other addresses are {}, this is not",
                family.name()
            )));
        }
    }
    Ok(())
}
