//! Requests to ctnetlink's expectation subsystem, in the format that the kernel reads
//! (net/netfilter/nf_conntrack_netlink.c, `ctnl_exp_cb`).

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rsct_common::Tuple;

use super::{attribute::*, expectation::Nat};
use crate::{
    family::Family,
    netlink::{conntrack::emit_tuple, emit::Emitter, request::Request},
};

/// Message types: the subsystem in the high byte, its own type in the low one
/// (include/uapi/linux/netfilter/nfnetlink_conntrack.h, `enum ctnl_exp_msg_types`).
pub(super) mod kind {
    /// `NFNL_SUBSYS_CTNETLINK_EXP`.
    const fn expect(message: u16) -> u16 {
        2 << 8 | message
    }

    pub(crate) const NEW: u16 = expect(0);
    pub(crate) const GET: u16 = expect(1);
    pub(crate) const DELETE: u16 = expect(2);
    pub(crate) const GET_STATS_CPU: u16 = expect(3);
}

/// A request to create an expectation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct New<'a> {
    /// A tuple of the master; its protocol is used as the master's.
    pub master: Tuple,
    /// The expected connection's first packet.
    pub tuple: Tuple,
    /// Mask of the tuple; the kernel reads only the source's part.
    pub mask: Tuple,
    /// The master's zone.
    pub zone: u16,
    /// The bits of [`flags`](super::flags); newer kernels drop USERSPACE.
    pub flags: u32,
    /// Index of the helper's policy for it. Older kernels read it only if a helper is named too.
    pub class: Option<u32>,
    /// The helper of the expected connection. Newer kernels always use the master's.
    pub helper: Option<&'a str>,
    /// The function that the kernel is to call for the expected connection.
    pub function: Option<&'a str>,
    /// NAT of the expected connection.
    pub nat: Option<Nat>,
}

/// Identifies an expectation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key {
    /// Its tuple.
    pub tuple: Tuple,
    /// Its master's zone.
    pub zone: u16,
    /// Its id, which must match if set.
    pub id: Option<u32>,
}

/// Selects the expectations to dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Of {
    /// All expectations.
    #[default]
    All,
    /// Those of one address family.
    Family(Family),
}

/// An operation on an expectation.
pub(super) enum How {
    /// Creates it; fails if it exists.
    Create,
    /// Sets the timeout, in seconds, of one that exists: nothing else can be changed.
    Timeout(u32),
}

/// Serializes a request to create or change an expectation.
pub(super) fn new(new: &New<'_>, how: How, sequence: u32) -> Vec<u8> {
    let mut request = Request::acknowledged(kind::NEW, family(&new.tuple));
    if let How::Create = how {
        request.flags |= NLM_F_CREATE | NLM_F_EXCL;
    }
    with(request, sequence, |out| {
        emit_tuple(out, CTA_EXPECT_TUPLE, &new.tuple, None);
        emit_tuple(out, CTA_EXPECT_MASTER, &new.master, None);
        emit_tuple(out, CTA_EXPECT_MASK, &new.mask, None);
        match how {
            How::Create => new.emit_rest(out),
            How::Timeout(seconds) => out.be32(CTA_EXPECT_TIMEOUT, seconds),
        }
        zone(out, new.zone);
    })
}

impl New<'_> {
    /// Writes the attributes that only a new expectation needs.
    fn emit_rest(&self, out: &mut Emitter<'_>) {
        if self.flags != 0 {
            out.be32(CTA_EXPECT_FLAGS, self.flags);
        }
        if let Some(class) = self.class {
            out.be32(CTA_EXPECT_CLASS, class);
        }
        if let Some(nat) = &self.nat {
            nat.emit(out);
        }
        if let Some(helper) = self.helper {
            out.string(CTA_EXPECT_HELP_NAME, helper.as_bytes());
        }
        if let Some(function) = self.function {
            out.string(CTA_EXPECT_FN, function.as_bytes());
        }
    }
}

pub(super) fn get(key: &Key, sequence: u32) -> Vec<u8> {
    one(kind::GET, key, sequence)
}

pub(super) fn delete(key: &Key, sequence: u32) -> Vec<u8> {
    one(kind::DELETE, key, sequence)
}

fn one(message_type: u16, key: &Key, sequence: u32) -> Vec<u8> {
    let request = Request::acknowledged(message_type, family(&key.tuple));
    with(request, sequence, |out| {
        emit_tuple(out, CTA_EXPECT_TUPLE, &key.tuple, None);
        zone(out, key.zone);
        if let Some(id) = key.id {
            out.be32(CTA_EXPECT_ID, id);
        }
    })
}

/// Serializes a request to delete the expectations of this helper, or all.
pub(super) fn delete_all(helper: Option<&str>, sequence: u32) -> Vec<u8> {
    with(Request::acknowledged(kind::DELETE, 0), sequence, |out| {
        if let Some(helper) = helper {
            out.string(CTA_EXPECT_HELP_NAME, helper.as_bytes());
        }
    })
}

pub(super) fn dump(of: Of, sequence: u32) -> Vec<u8> {
    match of {
        Of::All => Request::dump(kind::GET, 0).bare(sequence),
        Of::Family(family) => Request::dump(kind::GET, family as u8).bare(sequence),
    }
}

pub(super) fn stats_cpu(sequence: u32) -> Vec<u8> {
    Request::dump(kind::GET_STATS_CPU, 0).bare(sequence)
}

fn zone(out: &mut Emitter<'_>, zone: u16) {
    if zone != 0 {
        out.be16(CTA_EXPECT_ZONE, zone);
    }
}

fn family(tuple: &Tuple) -> u8 {
    // 2 or 10.
    u8::try_from(tuple.family()).unwrap_or(0)
}

fn with(request: Request, sequence: u32, attributes: impl FnOnce(&mut Emitter<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    request.append(&mut bytes, sequence, attributes);
    bytes
}

#[cfg(test)]
mod tests;
