//! The two directions that options describe. Each defaults to the inverse of the other.

use std::net::IpAddr;

use rsct_common::Tuple;

use super::{Opt, Spec, SpecError, error, value};
use crate::{family::Family, flow::tuples, names::proto};

/// Options that only some protocols have.
const PORTS: &[Opt] = &[Opt::Sport, Opt::Dport, Opt::ReplyPortSrc, Opt::ReplyPortDst];
const KEYS: &[Opt] = &[Opt::Srckey, Opt::Dstkey, Opt::ReplyKeySrc, Opt::ReplyKeyDst];
const ICMP: &[Opt] = &[Opt::IcmpType, Opt::IcmpCode, Opt::IcmpId];
const VTAGS: &[Opt] = &[Opt::OrigVtag, Opt::ReplyVtag];

impl Spec {
    /// The original and the reply direction. If options are missing, they are added to `missing`, and the tuples are
    /// incomplete.
    pub(super) fn tuples(&self, missing: &mut Vec<Opt>) -> Result<(Tuple, Tuple), SpecError> {
        let protonum = self.protonum()?;
        let mut needed = |value: Option<IpAddr>, option| {
            if value.is_none() {
                missing.push(option);
            }
            value.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
        };
        let src = needed(self.src.or(self.reply_dst), Opt::Src);
        let dst = needed(self.dst.or(self.reply_src), Opt::Dst);
        let (mut orig, mut reply) = (Tuple::default(), Tuple::default());
        (orig.protonum, reply.protonum, reply.dir) = (protonum, protonum, 1);
        self.layer4(&mut orig, &mut reply, missing)?;
        self.one_family()?;
        // All addresses have the same family by now.
        let _ = value::put_addresses(&mut orig, src, dst);
        let _ = value::put_addresses(
            &mut reply,
            self.reply_src.unwrap_or(dst),
            self.reply_dst.unwrap_or(src),
        );
        Ok((orig, reply))
    }

    /// The tuple that identifies an existing entry, and whether it is the original direction's.
    pub(super) fn key(&self) -> Result<(Tuple, bool), SpecError> {
        let mut missing = Vec::new();
        let (orig, reply) = self.tuples(&mut missing)?;
        complete("an entry", orig.protonum, missing)?;
        let by_reply_alone = self.src.is_none() && self.dst.is_none();
        Ok(if by_reply_alone {
            (reply, false)
        } else {
            (orig, true)
        })
    }

    /// The protocol; fails if an option of another protocol was given.
    pub(super) fn protonum(&self) -> Result<u8, SpecError> {
        let protonum = self.proto.ok_or_else(|| SpecError::Missing {
            what: "an entry".to_owned(),
            missing: vec![Opt::Proto],
        })?;
        for (options, fits) in [
            (PORTS, proto::has_ports(protonum)),
            (KEYS, protonum == proto::GRE),
            (ICMP, proto::is_icmp(protonum)),
            (VTAGS, protonum == proto::SCTP),
            (&[Opt::Role], protonum == proto::DCCP),
            (&[Opt::State], value::WITH_STATES.contains(&protonum)),
        ] {
            if !fits && let Some(option) = options.iter().copied().find(|option| self.has(*option)) {
                return Err(SpecError::NotOfProtocol { option, protonum });
            }
        }
        Ok(protonum)
    }

    fn layer4(&self, orig: &mut Tuple, reply: &mut Tuple, missing: &mut Vec<Opt>) -> Result<(), SpecError> {
        let protonum = orig.protonum;
        if proto::is_icmp(protonum) {
            let Some(icmp_type) = self.icmp_type else {
                missing.push(Opt::IcmpType);
                return Ok(());
            };
            let id = self.icmp_id.unwrap_or(0).to_be_bytes();
            let code = self.icmp_code.unwrap_or(0);
            (orig.src_l4, reply.src_l4) = (id, id);
            (orig.dst_l4, reply.dst_l4) = ([icmp_type, code], [answer(protonum, icmp_type)?, code]);
        } else if !self.is_portless(protonum) && (proto::has_ports(protonum) || protonum == proto::GRE) {
            // A missing key is 0, as in packets of GRE version 0.
            let absent = (protonum == proto::GRE).then_some(0);
            let (sport, dport) = (
                self.sport.or(self.reply_dport).or(absent),
                self.dport.or(self.reply_sport).or(absent),
            );
            for (port, option) in [(sport, Opt::Sport), (dport, Opt::Dport)] {
                if port.is_none() {
                    missing.push(option);
                }
            }
            let (sport, dport) = (sport.unwrap_or(0), dport.unwrap_or(0));
            (orig.src_l4, orig.dst_l4) = (sport.to_be_bytes(), dport.to_be_bytes());
            reply.src_l4 = self.reply_sport.unwrap_or(dport).to_be_bytes();
            reply.dst_l4 = self.reply_dport.unwrap_or(sport).to_be_bytes();
        }
        Ok(())
    }

    /// Returns whether the entry was saved on a kernel that knows no ports for its protocol.
    pub(super) fn is_portless(&self, protonum: u8) -> bool {
        let can_be = matches!(protonum, proto::DCCP | proto::UDPLITE);
        self.portless && can_be && !PORTS.iter().any(|option| self.has(*option))
    }

    /// Rejects addresses of different families.
    fn one_family(&self) -> Result<(), SpecError> {
        let nat = |nat: Option<crate::netlink::conntrack::Nat>| nat.and_then(|nat| nat.addr_min).map(family);
        let mut first = self.family.map(|family| (Opt::Family, family));
        for (option, is) in [
            (Opt::Src, self.src.map(family)),
            (Opt::Dst, self.dst.map(family)),
            (Opt::ReplySrc, self.reply_src.map(family)),
            (Opt::ReplyDst, self.reply_dst.map(family)),
            (Opt::SrcNat, nat(self.nat_src)),
            (Opt::DstNat, nat(self.nat_dst)),
        ] {
            let Some(is) = is else { continue };
            let (other, other_is) = *first.get_or_insert((option, is));
            if other_is != is {
                return Err(SpecError::Families {
                    option,
                    is: is.name(),
                    other,
                    other_is: other_is.name(),
                });
            }
        }
        Ok(())
    }
}

/// Fails if options are missing.
pub(super) fn complete(what: &str, protonum: u8, missing: Vec<Opt>) -> Result<(), SpecError> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(SpecError::Missing {
        what: format!("{what} of {}", error::protocol(protonum)),
        missing,
    })
}

fn family(addr: IpAddr) -> Family {
    match addr {
        IpAddr::V4(_) => Family::Ipv4,
        IpAddr::V6(_) => Family::Ipv6,
    }
}

/// The answer's type for an ICMP query and vice versa. Conntrack creates entries only for these types.
fn answer(protonum: u8, icmp_type: u8) -> Result<u8, SpecError> {
    tuples::icmp_answer(protonum, icmp_type).ok_or_else(|| SpecError::NotAmong {
        option: Opt::IcmpType,
        value: icmp_type.to_string(),
        protonum,
        has: format!(
            "entries only for queries and their answers, which are types {}",
            tuples::icmp_answers(protonum)
                .iter()
                .map(|(query, answer)| format!("{query}/{answer}"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    })
}
