//! Timeouts of lines that have none: the kernel shows no timeout of a flow that a flowtable forwards, so a saved one has
//! none either.

use std::collections::HashMap;

use super::Chunk;
use crate::{
    kernel::sysctl::Where,
    netlink::Socket,
    timeouts::{GENERIC, Protocol, Value, Values, ValuesError, state_of},
};

/// What a new entry's timeout depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The protocol.
    pub protonum: u8,
    /// The protocol's state.
    pub state: Option<u8>,
    /// The status bits.
    pub status: u32,
}

/// Fills timeouts in, each with that of the entry's state in one namespace.
#[derive(Debug)]
pub struct Filler<'a> {
    at: Where<'a>,
    known: HashMap<u8, Vec<Value>>,
    /// How many lines had none.
    pub filled: u64,
}

impl<'a> Filler<'a> {
    /// For the namespace that has these settings.
    pub fn new(at: Where<'a>) -> Self {
        Self {
            at,
            known: HashMap::new(),
            filled: 0,
        }
    }

    /// Fills in what is missing in a chunk. The kernel is asked about a protocol once, where a line lacks a timeout.
    pub async fn fill(&mut self, socket: &mut Socket, chunk: &mut Chunk) -> Result<(), ValuesError> {
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
            let mut values = Values { socket, at: self.at };
            let read = values.read(Protocol::of_number(number)).await?;
            self.known.insert(number, read.unwrap_or_default());
        }
        Ok(())
    }

    /// A kernel without a handler for the protocol gives the generic timeout.
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
