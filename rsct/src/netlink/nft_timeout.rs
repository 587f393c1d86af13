//! Reads nftables' timeout objects, which nftables rules attach to flows as iptables rules attach policies
//! (include/uapi/linux/netfilter/nf_tables.h, `NFT_OBJECT_CT_TIMEOUT`).

use super::{
    Error, Socket,
    attr::{Attr, AttrError, Attrs},
    conntrack::DecodeError,
    exchange,
    request::Request,
    timeout::Timeouts,
};

/// `NFNL_SUBSYS_NFTABLES`, `NFT_MSG_GETOBJ`.
const GET_OBJECT: u16 = 10 << 8 | 19;

// `enum nft_object_attributes`.
const NFTA_OBJ_TABLE: u16 = 1;
const NFTA_OBJ_NAME: u16 = 2;
const NFTA_OBJ_TYPE: u16 = 3;
const NFTA_OBJ_DATA: u16 = 4;
const NFT_OBJECT_CT_TIMEOUT: u32 = 7;

// `enum nft_ct_timeout_timeout_attributes`.
const NFTA_CT_TIMEOUT_L3PROTO: u16 = 1;
const NFTA_CT_TIMEOUT_L4PROTO: u16 = 2;
const NFTA_CT_TIMEOUT_DATA: u16 = 3;

/// Size of `struct nfgenmsg`, which precedes the attributes.
const NFGENMSG_BYTES: usize = 4;

/// A `ct timeout` object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object {
    /// Its table.
    pub table: Vec<u8>,
    /// Its name, which may exist in several tables.
    pub name: Vec<u8>,
    /// Its values.
    pub timeouts: Timeouts,
}

/// Lists every such object of the socket's namespace.
pub(crate) async fn list(socket: &mut Socket) -> Result<Vec<Object>, Error> {
    let mut objects = Vec::new();
    exchange::answers_of(
        socket,
        "listing nftables' timeouts",
        Error::refused_plainly,
        |sequence| Request::dump(GET_OBJECT, 0).bare(sequence),
        |payload| {
            objects.extend(Object::parse(payload)?);
            Ok(())
        },
    )
    .await?;
    Ok(objects)
}

impl Object {
    /// Parses the payload of an `NFT_MSG_NEWOBJ` message; returns `None` for an object of another type.
    pub(crate) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let got = payload.len();
        let attributes = payload.get(NFGENMSG_BYTES..).ok_or(DecodeError::Header { got })?;
        let mut object = Self::default();
        let mut kind = 0;
        let mut data = None;
        for attr in Attrs::new(attributes) {
            let attr = attr.map_err(DecodeError::Attributes)?;
            match attr.kind {
                NFTA_OBJ_TABLE => object.table = attr.string().to_vec(),
                NFTA_OBJ_NAME => object.name = attr.string().to_vec(),
                NFTA_OBJ_TYPE => kind = attr.be32().map_err(of("NFTA_OBJ_TYPE"))?,
                NFTA_OBJ_DATA => data = Some(attr),
                _ => {}
            }
        }
        if kind != NFT_OBJECT_CT_TIMEOUT {
            return Ok(None);
        }
        if let Some(data) = data {
            object.take(data).map_err(of("NFTA_OBJ_DATA"))?;
        }
        Ok(Some(object))
    }

    fn take(&mut self, data: Attr<'_>) -> Result<(), AttrError> {
        for attr in data.nested() {
            let attr = attr?;
            match attr.kind {
                NFTA_CT_TIMEOUT_L3PROTO => self.timeouts.l3proto = attr.be16()?,
                NFTA_CT_TIMEOUT_L4PROTO => self.timeouts.l4proto = attr.u8()?,
                NFTA_CT_TIMEOUT_DATA => self.timeouts.parse_values(attr)?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn of(name: &'static str) -> impl Fn(AttrError) -> DecodeError {
    move |source| DecodeError::Attribute { name, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As received by `nft list ruleset` (strace) on Linux 6.18, of `ct timeout udp-x { protocol udp; l3proto
    /// ip; policy = { unreplied : 40, replied : 50 } }` in `table ip t`.
    const GOT: [u8; 92] = [
        2, 0, 0, 2, // struct nfgenmsg
        6, 0, 1, 0, b't', 0, 0, 0, // NFTA_OBJ_TABLE
        10, 0, 2, 0, b'u', b'd', b'p', b'-', b'x', 0, 0, 0, // NFTA_OBJ_NAME
        8, 0, 3, 0, 0, 0, 0, 7, // NFTA_OBJ_TYPE
        12, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 1, // NFTA_OBJ_HANDLE
        8, 0, 5, 0, 0, 0, 0, 0, // NFTA_OBJ_USE
        40, 0, 4, 0, // NFTA_OBJ_DATA
        5, 0, 2, 0, 17, 0, 0, 0, 6, 0, 1, 0, 0, 2, 0, 0, // its protocols
        20, 0, 3, 128, 8, 0, 1, 0, 0, 0, 0, 40, 8, 0, 2, 0, 0, 0, 0, 50, // its values
    ];

    #[test]
    fn an_object_is_read() {
        let object = Object {
            table: b"t".to_vec(),
            name: b"udp-x".to_vec(),
            timeouts: Timeouts {
                l3proto: 2,
                l4proto: 17,
                values: vec![(1, 40), (2, 50)],
            },
        };
        assert_eq!(Object::parse(&GOT), Ok(Some(object)));
        for end in 0..GOT.len() {
            // A truncated message has fewer values or is an error, and causes no panic.
            let _ = Object::parse(&GOT[..end]);
        }
    }

    #[test]
    fn objects_of_other_types_are_none() {
        let mut counter = GOT;
        counter[31] = 1;
        assert_eq!(Object::parse(&counter), Ok(None));
    }
}
