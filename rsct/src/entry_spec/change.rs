//! Conversion of the options into requests for the kernel.

use super::{LabelBits, Opt, Spec, SpecError, tuples::complete, value};
use crate::{
    names::{self, proto, status},
    netlink::conntrack::{Change, Dccp, Helper, ProtoInfo, Sctp, Tcp, TcpFlags},
};

/// `IP_CT_TCP_FLAG_*` (include/uapi/linux/netfilter/nf_conntrack_tcp.h).
mod tcp_flag {
    pub(super) const SACK_PERM: u8 = 0x02;
    pub(super) const CLOSE_INIT: u8 = 0x04;
    pub(super) const BE_LIBERAL: u8 = 0x08;
}

/// `TCP_CONNTRACK_TIME_WAIT`: from this state on, a connection may be reopened.
const TCP_TIME_WAIT: u8 = 7;

impl Spec {
    /// The request that creates an entry. It fails if a required option is missing; values that only the kernel needs
    /// are filled in.
    pub fn new_entry(&self) -> Result<Change<'_>, SpecError> {
        let protonum = self.protonum()?;
        let mut missing = Vec::new();
        let (orig, reply) = self.tuples(&mut missing)?;
        let protoinfo = self.protoinfo(protonum, &mut missing)?;
        if self.timeout.is_none() && !(self.timeout_follows && missing.is_empty()) {
            missing.push(Opt::Timeout);
        }
        complete("a new entry", protonum, missing)?;
        self.one_zone()?;
        for option in [Opt::LabelDel, Opt::Id] {
            if self.has(option) {
                return Err(SpecError::NotHere {
                    option,
                    why: "a new entry does not have one yet",
                });
            }
        }
        self.no_secmark()?;
        // The kernel sets EXPECTED together with the master, and rejects it here.
        let status = self.status.unwrap_or(0) & !status::EXPECTED | status::CONFIRMED;
        Ok(Change {
            orig: Some(orig),
            reply: Some(reply),
            zone_orig: self.zone_orig,
            zone_reply: self.zone_reply,
            status: Some(status),
            mark: self.mark.map(|(value, _)| value),
            protoinfo,
            nat_src: self.nat_src,
            nat_dst: self.nat_dst,
            master: self.master,
            ..self.common()
        })
    }

    /// The request that changes the entry with these tuples.
    ///
    /// The kernel never clears a status bit, and rejects a status that lacks a bit of the entry: the caller, who knows
    /// the entry's bits, must add them.
    pub fn changed_entry(&self) -> Result<Change<'_>, SpecError> {
        self.one_zone()?;
        self.no_secmark()?;
        for option in [Opt::SrcNat, Opt::DstNat, Opt::Master, Opt::Id] {
            if self.has(option) {
                return Err(SpecError::NotHere {
                    option,
                    why: "the kernel cannot change it on an existing entry",
                });
            }
        }
        let key = self.key_change()?;
        let protonum = self.protonum()?;
        // Without a state, the request does not touch the protocol's part.
        let protoinfo = if self.has(Opt::State) {
            self.protoinfo(protonum, &mut Vec::new())?
        } else {
            None
        };
        Ok(Change {
            orig: key.orig,
            zone_orig: key.zone_orig,
            reply: key.reply,
            zone_reply: key.zone_reply,
            zone: key.zone,
            protoinfo,
            ..self.changes()?
        })
    }

    /// The changed values, without the tuples of an entry.
    pub fn changes(&self) -> Result<Change<'_>, SpecError> {
        if self.labels_add.is_some() && self.labels_del.is_some() {
            return Err(SpecError::Together {
                option: Opt::LabelAdd,
                other: Opt::LabelDel,
                why: "use only one of them in a change",
            });
        }
        let (mark, mark_mask) = self.mark.unzip();
        let labels = self
            .labels_add
            .as_ref()
            .map(LabelBits::as_bytes)
            .or(self.labels_del.is_some().then(LabelBits::none));
        Ok(Change {
            status: self
                .status
                .map(|bits| bits & !status::EXPECTED | status::CONFIRMED),
            mark,
            mark_mask: mark_mask.flatten(),
            labels,
            labels_mask: self
                .labels_add
                .as_ref()
                .or(self.labels_del.as_ref())
                .map(LabelBits::as_bytes),
            zone: None,
            ..self.common()
        })
    }

    /// The request that deletes or reads one entry.
    pub fn named_entry(&self) -> Result<Change<'_>, SpecError> {
        self.one_zone()?;
        Ok(Change {
            id: self.id,
            ..self.key_change()?
        })
    }

    /// The tuple that identifies the entry, and its zone.
    fn key_change(&self) -> Result<Change<'_>, SpecError> {
        let (key, is_original) = self.key()?;
        Ok(Change {
            orig: is_original.then_some(key),
            zone_orig: self.zone_orig.filter(|_| is_original),
            reply: (!is_original).then_some(key),
            zone_reply: self.zone_reply.filter(|_| !is_original),
            zone: self.zone,
            ..Change::default()
        })
    }

    /// The values that new and changed entries share.
    fn common(&self) -> Change<'_> {
        Change {
            zone: self.zone,
            timeout: self.timeout,
            helper: self.helper.as_ref().map(|helper| Helper {
                name: helper.as_bytes(),
                info: None,
            }),
            labels: self.labels_add.as_ref().map(LabelBits::as_bytes),
            ..Change::default()
        }
    }

    /// ctnetlink reports the security mark but cannot set it.
    fn no_secmark(&self) -> Result<(), SpecError> {
        match self.secmark {
            None | Some(0) => Ok(()),
            Some(_) => Err(SpecError::NotHere {
                option: Opt::Secmark,
                why: "the kernel does not accept a security mark through ctnetlink",
            }),
        }
    }

    /// The kernel keeps one zone, and the directions that it applies to.
    fn one_zone(&self) -> Result<(), SpecError> {
        let given: Vec<Opt> = [Opt::Zone, Opt::OrigZone, Opt::ReplyZone]
            .into_iter()
            .filter(|option| self.has(*option))
            .collect();
        match given[..] {
            [option, other, ..] => Err(SpecError::Together {
                option,
                other,
                why: "an entry's zone applies to both directions or to one",
            }),
            _ => Ok(()),
        }
    }

    fn protoinfo(&self, protonum: u8, missing: &mut Vec<Opt>) -> Result<Option<ProtoInfo>, SpecError> {
        let Some(index) = value::WITH_STATES.iter().position(|known| *known == protonum) else {
            return Ok(None);
        };
        if self.is_portless(protonum) {
            return Ok(None);
        }
        let state = match self.states {
            Some(states) => Some(states[index].ok_or_else(|| other_state(protonum, states))?),
            None => None,
        };
        let mut needed = |is_present: bool, option| {
            if !is_present {
                missing.push(option);
            }
        };
        needed(state.is_some(), Opt::State);
        Ok(Some(match protonum {
            proto::TCP => {
                let flags = Some(tcp_flags(state.unwrap_or(0)));
                ProtoInfo::Tcp(Tcp {
                    state,
                    flags_orig: flags,
                    flags_reply: flags,
                    ..Tcp::default()
                })
            }
            proto::SCTP => {
                needed(self.vtag_orig.is_some(), Opt::OrigVtag);
                needed(self.vtag_reply.is_some(), Opt::ReplyVtag);
                ProtoInfo::Sctp(Sctp {
                    state,
                    vtag_orig: self.vtag_orig,
                    vtag_reply: self.vtag_reply,
                })
            }
            _ => {
                needed(self.role.is_some(), Opt::Role);
                ProtoInfo::Dccp(Dccp {
                    state,
                    role: self.role,
                    handshake_seq: None,
                })
            }
        }))
    }
}

/// TCP windows of an entry created by user space are unknown: these flags accept packets outside of the window.
fn tcp_flags(state: u8) -> TcpFlags {
    let mut flags = tcp_flag::BE_LIBERAL | tcp_flag::SACK_PERM;
    if state >= TCP_TIME_WAIT {
        // A new SYN may reopen the connection (RFC 1122; nf_conntrack_tcp_packet()).
        flags |= tcp_flag::CLOSE_INIT;
    }
    TcpFlags { flags, mask: flags }
}

/// The state belongs to another protocol.
#[cold]
fn other_state(protonum: u8, states: [Option<u8>; 3]) -> SpecError {
    let typed = value::WITH_STATES
        .into_iter()
        .zip(states)
        .find_map(|(protonum, state)| names::state(protonum, state?));
    let has: Vec<&str> = (0..value::STATES)
        .filter_map(|state| names::state(protonum, state))
        .collect();
    SpecError::NotAmong {
        option: Opt::State,
        value: typed.unwrap_or_default().to_owned(),
        protonum,
        has: has.join(", "),
    }
}
