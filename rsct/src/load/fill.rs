//! Timeouts for lines without one: the kernel reports no timeout for a flow in a flowtable, so its saved line has none.

use std::collections::HashMap;

use super::Chunk;
use crate::{
    kernel::sysctl::Where,
    netlink::Socket,
    timeouts::{GENERIC, Protocol, StateValue, TimeoutValues, ValuesError, state_of},
};

/// The values that select a new entry's timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// The protocol.
    pub protonum: u8,
    /// The protocol's state.
    pub state: Option<u8>,
    /// The status bits.
    pub status: u32,
}

/// Sets missing timeouts to that of the entry's state in one network namespace.
#[derive(Debug)]
pub(crate) struct Filler<'a> {
    at: Where<'a>,
    known: HashMap<u8, Vec<StateValue>>,
    /// Number of lines filled.
    pub filled: u64,
}

impl<'a> Filler<'a> {
    /// A filler for the namespace with these settings.
    pub(crate) fn new(at: Where<'a>) -> Self {
        Self {
            at,
            known: HashMap::new(),
            filled: 0,
        }
    }

    /// Fills a chunk. Queries the kernel once for each protocol with a missing timeout.
    pub(crate) async fn fill(&mut self, socket: &mut Socket, chunk: &mut Chunk) -> Result<(), ValuesError> {
        let lacking: Vec<Lacking> = chunk.lacking().collect();
        for Lacking { protonum, .. } in &lacking {
            for number in [Protocol::of_number(*protonum).number, GENERIC] {
                self.learn(socket, number).await?;
            }
        }
        self.filled += lacking.len() as u64;
        chunk.fill(|lacking| self.seconds(lacking));
        Ok(())
    }

    async fn learn(&mut self, socket: &mut Socket, number: u8) -> Result<(), ValuesError> {
        if !self.known.contains_key(&number) {
            let mut values = TimeoutValues { socket, at: self.at };
            let read = values.read(Protocol::of_number(number)).await?;
            self.known.insert(number, read.unwrap_or_default());
        }
        Ok(())
    }

    /// A kernel without a handler for the protocol uses the generic timeout.
    fn seconds(&self, lacking: Lacking) -> u32 {
        let of = |number: u8, attribute: Option<u16>| {
            let values = self.known.get(&number)?;
            let found = values
                .iter()
                .find(|(known, _)| attribute.is_none_or(|wanted| wanted == *known));
            Some(found?.1)
        };
        let state = state_of(lacking.protonum, lacking.state, lacking.status);
        let number = Protocol::of_number(lacking.protonum).number;
        state
            .and_then(|state| of(number, Some(state.attribute)))
            .or_else(|| of(GENERIC, None))
            .unwrap_or(GENERIC_SECONDS)
    }
}

/// `nf_ct_generic_timeout` (net/netfilter/nf_conntrack_proto_generic.c).
const GENERIC_SECONDS: u32 = 600;
