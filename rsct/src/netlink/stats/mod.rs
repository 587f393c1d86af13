//! The kernel's counters: entries in the table, and results of lookups and inserts per CPU.

pub(crate) mod counter;
mod growth;
#[cfg(test)]
mod tests;

pub use growth::{since, total};

use super::{
    Error, Socket,
    attr::{AttrError, Attrs},
    conntrack::DecodeError,
    exchange,
    request::{Request, kind},
};

// include/uapi/linux/netfilter/nfnetlink_conntrack.h, `enum ctattr_stats_global`.
const CTA_STATS_GLOBAL_ENTRIES: u16 = 1;
const CTA_STATS_GLOBAL_MAX_ENTRIES: u16 = 2;

/// Fill level of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Number of entries, including expired ones that have not been removed yet.
    pub entries: u32,
    /// Limit on entries (`net.netfilter.nf_conntrack_max`), if the kernel sends it (Linux 4.18 on).
    pub max_entries: Option<u32>,
}

/// One CPU's counters since the namespace was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// The CPU's number.
    pub cpu: u16,
    /// Each counter by its attribute's number (see `counter`), in the kernel's order. They wrap around.
    pub counters: Vec<(u16, u32)>,
}

/// Reads the fill level of the table in the socket's namespace.
pub(crate) async fn table(socket: &mut Socket) -> Result<Table, Error> {
    let mut table = Table::default();
    exchange::answers(
        socket,
        "counting the conntrack entries",
        |sequence| Request::acknowledged(kind::GET_STATS, 0).bare(sequence),
        |payload| {
            table = Table::parse(payload)?;
            Ok(())
        },
    )
    .await?;
    Ok(table)
}

/// Reads the counters of every possible CPU.
pub(crate) async fn per_cpu(socket: &mut Socket) -> Result<Vec<Cpu>, Error> {
    let mut cpus = Vec::new();
    exchange::answers(
        socket,
        "reading the conntrack counters",
        |sequence| Request::dump(kind::GET_STATS_CPU, 0).bare(sequence),
        |payload| {
            cpus.push(Cpu::parse(payload)?);
            Ok(())
        },
    )
    .await?;
    Ok(cpus)
}

impl Table {
    /// Parses the payload of the kernel's answer: `struct nfgenmsg`, then attributes.
    pub fn parse(payload: &[u8]) -> Result<Self, DecodeError> {
        let (_, attributes) = split(payload)?;
        let mut table = Self::default();
        for attr in attributes {
            let attr = attr.map_err(DecodeError::Attributes)?;
            match attr.kind {
                CTA_STATS_GLOBAL_ENTRIES => table.entries = attr.be32().map_err(of_counter)?,
                CTA_STATS_GLOBAL_MAX_ENTRIES => table.max_entries = Some(attr.be32().map_err(of_counter)?),
                _ => {}
            }
        }
        Ok(table)
    }
}

impl Cpu {
    /// Parses the payload of one of the kernel's answers, each about one CPU: `struct nfgenmsg`, then
    /// attributes.
    pub fn parse(payload: &[u8]) -> Result<Self, DecodeError> {
        // The CPU's number is in nfgenmsg's res_id, which other messages do not use.
        let (cpu, attributes) = split(payload)?;
        let mut counters = Vec::with_capacity(counter::KNOWN.len());
        for attr in attributes {
            let attr = attr.map_err(DecodeError::Attributes)?;
            counters.push((attr.kind, attr.be32().map_err(of_counter)?));
        }
        Ok(Self { cpu, counters })
    }
}

/// `res_id` of `struct nfgenmsg`, and the attributes after it.
fn split(payload: &[u8]) -> Result<(u16, Attrs<'_>), DecodeError> {
    let got = payload.len();
    let (header, attributes) = payload
        .split_first_chunk::<4>()
        .ok_or(DecodeError::Header { got })?;
    Ok((u16::from_be_bytes([header[2], header[3]]), Attrs::new(attributes)))
}

fn of_counter(source: AttrError) -> DecodeError {
    DecodeError::Attribute {
        name: "a counter",
        source,
    }
}
