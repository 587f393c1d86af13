//! A user-space helper, as registered with the kernel.

use super::attribute::*;
use crate::netlink::{
    attr::{Attr, AttrError, Attrs},
    conntrack::DecodeError,
    emit::Emitter,
};

/// Size of `struct nfgenmsg`, which precedes the attributes.
const NFGENMSG_BYTES: usize = 4;

/// The flows that a helper inspects. Together with the name they identify a helper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// The address family: 2 IPv4, 10 IPv6.
    pub l3proto: u16,
    /// The protocol.
    pub l4proto: u8,
}

/// A kind of expectation that a helper creates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectPolicy {
    /// Its name, at most 15 bytes.
    pub name: Vec<u8>,
    /// Limit of expectations per flow.
    pub max: u32,
    /// Timeout of each.
    pub timeout_s: u32,
}

/// A helper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Helper {
    /// Its name, at most 15 bytes of any kind but zero.
    pub name: Vec<u8>,
    /// The flows that it inspects.
    pub flows: Flows,
    /// Its kinds of expectations.
    pub policies: Vec<ExpectPolicy>,
    /// Bytes of private data that it needs per flow.
    pub priv_data_len: u32,
    /// The queue that delivers packets to it.
    pub queue_num: u32,
    /// Nonzero if packets are queued to it.
    pub status: u32,
}

impl Helper {
    /// Parses the payload of an `NFNL_MSG_CTHELPER_NEW` message: `struct nfgenmsg`, then attributes.
    pub fn parse(payload: &[u8]) -> Result<Self, DecodeError> {
        let got = payload.len();
        let attributes = payload.get(NFGENMSG_BYTES..).ok_or(DecodeError::Header { got })?;
        let mut helper = Self::default();
        for attr in Attrs::new(attributes) {
            let attr = attr.map_err(DecodeError::Attributes)?;
            helper.take(attr).map_err(|source| DecodeError::Attribute {
                name: name(attr.kind),
                source,
            })?;
        }
        Ok(helper)
    }

    fn take(&mut self, attr: Attr<'_>) -> Result<(), AttrError> {
        match attr.kind {
            NFCTH_NAME => self.name = attr.string().to_vec(),
            NFCTH_TUPLE => self.flows = Flows::parse(attr)?,
            NFCTH_QUEUE_NUM => self.queue_num = attr.be32()?,
            NFCTH_POLICY => {
                for attr in attr.nested() {
                    let attr = attr?;
                    if attr.kind >= NFCTH_POLICY_SET {
                        self.policies.push(ExpectPolicy::parse(attr)?);
                    }
                }
            }
            NFCTH_PRIV_DATA_LEN => self.priv_data_len = attr.be32()?,
            NFCTH_STATUS => self.status = attr.be32()?,
            _ => {}
        }
        Ok(())
    }

    /// Writes the attributes of a new helper. Without a queue and a status, it does not receive packets yet.
    pub(super) fn emit(&self, out: &mut Emitter<'_>) {
        out.string(NFCTH_NAME, &self.name);
        out.be32(NFCTH_PRIV_DATA_LEN, self.priv_data_len);
        self.flows.emit(out);
        out.nest(NFCTH_POLICY, |out| {
            let mut count = 0;
            for (kind, policy) in (NFCTH_POLICY_SET..).zip(&self.policies) {
                policy.emit(kind, out);
                count += 1;
            }
            out.be32(NFCTH_POLICY_SET_NUM, count);
        });
    }
}

impl Flows {
    fn parse(attr: Attr<'_>) -> Result<Self, AttrError> {
        let mut flows = Self::default();
        for attr in attr.nested() {
            let attr = attr?;
            match attr.kind {
                NFCTH_TUPLE_L3PROTONUM => flows.l3proto = attr.be16()?,
                NFCTH_TUPLE_L4PROTONUM => flows.l4proto = attr.u8()?,
                _ => {}
            }
        }
        Ok(flows)
    }

    /// Writes the attribute.
    pub(super) fn emit(self, out: &mut Emitter<'_>) {
        out.nest(NFCTH_TUPLE, |out| {
            out.be16(NFCTH_TUPLE_L3PROTONUM, self.l3proto);
            out.u8(NFCTH_TUPLE_L4PROTONUM, self.l4proto);
        });
    }
}

impl ExpectPolicy {
    fn parse(attr: Attr<'_>) -> Result<Self, AttrError> {
        let mut policy = Self::default();
        for attr in attr.nested() {
            let attr = attr?;
            match attr.kind {
                NFCTH_POLICY_NAME => policy.name = attr.string().to_vec(),
                NFCTH_POLICY_EXPECT_MAX => policy.max = attr.be32()?,
                NFCTH_POLICY_EXPECT_TIMEOUT => policy.timeout_s = attr.be32()?,
                _ => {}
            }
        }
        Ok(policy)
    }

    fn emit(&self, kind: u16, out: &mut Emitter<'_>) {
        out.nest(kind, |out| {
            out.string(NFCTH_POLICY_NAME, &self.name);
            out.be32(NFCTH_POLICY_EXPECT_MAX, self.max);
            out.be32(NFCTH_POLICY_EXPECT_TIMEOUT, self.timeout_s);
        });
    }
}
