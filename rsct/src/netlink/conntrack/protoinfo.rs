//! Conntrack's protocol state: states, TCP's windows, SCTP's tags.

use super::attribute::*;
use crate::names::proto;
use crate::netlink::{
    attr::{Attr, AttrError},
    emit::Emitter,
};

/// The protocol's own part of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtoInfo {
    /// TCP.
    Tcp(Tcp),
    /// SCTP.
    Sctp(Sctp),
    /// DCCP.
    Dccp(Dccp),
}

/// TCP's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// `enum tcp_conntrack`.
    pub state: Option<u8>,
    /// The original direction's window scale.
    pub wscale_orig: Option<u8>,
    /// The reply direction's window scale.
    pub wscale_reply: Option<u8>,
    /// `IP_CT_TCP_FLAG_*` of the original direction.
    pub flags_orig: Option<TcpFlags>,
    /// `IP_CT_TCP_FLAG_*` of the reply direction.
    pub flags_reply: Option<TcpFlags>,
}

/// TCP flags with a mask (`struct nf_ct_tcp_flags`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags {
    /// The flags.
    pub flags: u8,
    /// Mask of the flags to set; zero in a dump.
    pub mask: u8,
}

/// SCTP's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sctp {
    /// `enum sctp_conntrack`.
    pub state: Option<u8>,
    /// The original direction's verification tag.
    pub vtag_orig: Option<u32>,
    /// The reply direction's verification tag.
    pub vtag_reply: Option<u32>,
}

/// DCCP's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dccp {
    /// `enum ct_dccp_states`.
    pub state: Option<u8>,
    /// The role of the original direction's sender.
    pub role: Option<DccpRole>,
    /// The sequence number of the handshake.
    pub handshake_seq: Option<u64>,
}

/// The role of the original direction's sender (`enum ct_dccp_roles`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DccpRole {
    /// It opened the connection.
    Client,
    /// It answers.
    Server,
    /// A role unknown to this version of rsct.
    Other(u8),
}

impl DccpRole {
    /// The kernel's number of the role.
    pub fn number(self) -> u8 {
        match self {
            Self::Client => 0,
            Self::Server => 1,
            Self::Other(number) => number,
        }
    }

    /// The role as a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Other(_) => "unknown",
        }
    }
}

impl ProtoInfo {
    /// Of an entry in this state; none for protocols without states.
    pub(super) fn of(protonum: u8, state: u8) -> Option<Self> {
        let state = Some(state);
        Some(match protonum {
            proto::TCP => Self::Tcp(Tcp {
                state,
                ..Tcp::default()
            }),
            proto::SCTP => Self::Sctp(Sctp {
                state,
                ..Sctp::default()
            }),
            proto::DCCP => Self::Dccp(Dccp {
                state,
                ..Dccp::default()
            }),
            _ => return None,
        })
    }

    /// The state's number, in the protocol's own enum.
    #[inline]
    pub fn state(&self) -> Option<u8> {
        match self {
            Self::Tcp(tcp) => tcp.state,
            Self::Sctp(sctp) => sctp.state,
            Self::Dccp(dccp) => dccp.state,
        }
    }
}

/// Parses `CTA_PROTOINFO`; returns `None` for an unknown protocol.
#[inline]
pub(super) fn parse(attr: Attr<'_>) -> Result<Option<ProtoInfo>, AttrError> {
    let mut info = None;
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_PROTOINFO_TCP => info = Some(ProtoInfo::Tcp(tcp(attr)?)),
            CTA_PROTOINFO_SCTP => info = Some(ProtoInfo::Sctp(sctp(attr)?)),
            CTA_PROTOINFO_DCCP => info = Some(ProtoInfo::Dccp(dccp(attr)?)),
            _ => {}
        }
    }
    Ok(info)
}

#[inline]
fn tcp(attr: Attr<'_>) -> Result<Tcp, AttrError> {
    let mut tcp = Tcp::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_PROTOINFO_TCP_STATE => tcp.state = Some(attr.u8()?),
            CTA_PROTOINFO_TCP_WSCALE_ORIGINAL => tcp.wscale_orig = Some(attr.u8()?),
            CTA_PROTOINFO_TCP_WSCALE_REPLY => tcp.wscale_reply = Some(attr.u8()?),
            CTA_PROTOINFO_TCP_FLAGS_ORIGINAL => tcp.flags_orig = Some(tcp_flags(attr)?),
            CTA_PROTOINFO_TCP_FLAGS_REPLY => tcp.flags_reply = Some(tcp_flags(attr)?),
            _ => {}
        }
    }
    Ok(tcp)
}

#[inline]
fn tcp_flags(attr: Attr<'_>) -> Result<TcpFlags, AttrError> {
    let [flags, mask] = attr.array()?;
    Ok(TcpFlags { flags, mask })
}

fn sctp(attr: Attr<'_>) -> Result<Sctp, AttrError> {
    let mut sctp = Sctp::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_PROTOINFO_SCTP_STATE => sctp.state = Some(attr.u8()?),
            CTA_PROTOINFO_SCTP_VTAG_ORIGINAL => sctp.vtag_orig = Some(attr.be32()?),
            CTA_PROTOINFO_SCTP_VTAG_REPLY => sctp.vtag_reply = Some(attr.be32()?),
            _ => {}
        }
    }
    Ok(sctp)
}

fn dccp(attr: Attr<'_>) -> Result<Dccp, AttrError> {
    let mut dccp = Dccp::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_PROTOINFO_DCCP_STATE => dccp.state = Some(attr.u8()?),
            CTA_PROTOINFO_DCCP_ROLE => {
                dccp.role = Some(match attr.u8()? {
                    0 => DccpRole::Client,
                    1 => DccpRole::Server,
                    other => DccpRole::Other(other),
                })
            }
            CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ => dccp.handshake_seq = Some(attr.be64()?),
            _ => {}
        }
    }
    Ok(dccp)
}

/// Writes `CTA_PROTOINFO`.
pub(super) fn emit(out: &mut Emitter<'_>, info: &ProtoInfo) {
    out.nest(CTA_PROTOINFO, |out| match info {
        ProtoInfo::Tcp(tcp) => out.nest(CTA_PROTOINFO_TCP, |out| emit_tcp(out, tcp)),
        ProtoInfo::Sctp(sctp) => out.nest(CTA_PROTOINFO_SCTP, |out| emit_sctp(out, sctp)),
        ProtoInfo::Dccp(dccp) => out.nest(CTA_PROTOINFO_DCCP, |out| emit_dccp(out, dccp)),
    });
}

fn emit_tcp(out: &mut Emitter<'_>, tcp: &Tcp) {
    for (kind, byte) in [
        (CTA_PROTOINFO_TCP_STATE, tcp.state),
        (CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, tcp.wscale_orig),
        (CTA_PROTOINFO_TCP_WSCALE_REPLY, tcp.wscale_reply),
    ] {
        if let Some(byte) = byte {
            out.u8(kind, byte);
        }
    }
    for (kind, flags) in [
        (CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, tcp.flags_orig),
        (CTA_PROTOINFO_TCP_FLAGS_REPLY, tcp.flags_reply),
    ] {
        if let Some(TcpFlags { flags, mask }) = flags {
            out.put(kind, &[flags, mask]);
        }
    }
}

fn emit_sctp(out: &mut Emitter<'_>, sctp: &Sctp) {
    if let Some(state) = sctp.state {
        out.u8(CTA_PROTOINFO_SCTP_STATE, state);
    }
    for (kind, vtag) in [
        (CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, sctp.vtag_orig),
        (CTA_PROTOINFO_SCTP_VTAG_REPLY, sctp.vtag_reply),
    ] {
        if let Some(vtag) = vtag {
            out.be32(kind, vtag);
        }
    }
}

fn emit_dccp(out: &mut Emitter<'_>, dccp: &Dccp) {
    if let Some(state) = dccp.state {
        out.u8(CTA_PROTOINFO_DCCP_STATE, state);
    }
    if let Some(role) = dccp.role {
        out.u8(CTA_PROTOINFO_DCCP_ROLE, role.number());
    }
    if let Some(sequence) = dccp.handshake_seq {
        out.be64(CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ, sequence);
    }
}
