//! Durations of operations on an entry.

use aya_ebpf::EbpfContext;
use rsct_common::latency::Function;
use rsct_ebpf::{
    filter,
    kernel::{Memory, args::Frame, nf_conn::NfConn, tuple},
    scratch::Slot,
};

use crate::{
    slow::{self, Slow},
    tally::{self, Key},
};

/// An entry and the operation's outcome.
pub struct Flow<M> {
    pub entry: NfConn<M>,
    pub outcome: u8,
}

impl<M: Memory> Key for Flow<M> {
    #[inline(always)]
    fn outcome(&self) -> u32 {
        self.outcome as u32
    }

    #[inline(always)]
    fn protonum(&self) -> u8 {
        tuple::protonum(&self.entry.tuple(0))
    }

    #[inline(always)]
    fn netns(&self) -> u32 {
        self.entry.netns()
    }

    #[inline(always)]
    fn hook(&self) -> u32 {
        0
    }
}

/// Counts the operation, if the flow passes the filter.
#[inline(always)]
pub fn count<C: EbpfContext + Frame, M: Memory>(
    ctx: &C,
    slot: &mut Slot<()>,
    function: Function,
    flow: Flow<M>,
    took_ns: u64,
) {
    if !is_wanted(flow.entry) {
        return;
    }
    tally::add(function, &flow, took_ns);
    if slow::is_slow(took_ns) {
        let slow = Slow {
            outcome: flow.outcome,
            tuple: flow.entry.tuple(0),
            netns: flow.entry.netns(),
            ..Slow::without_flow(function, slot.claimed_ns, took_ns)
        };
        slow::send(ctx, &mut slot.number, slow);
    }
}

/// True if the entry is in scope.
#[inline(always)]
pub fn is_wanted<M: Memory>(entry: NfConn<M>) -> bool {
    if filter::narrows_netns() && !filter::wants_netns(entry.netns()) {
        return false;
    }
    !filter::has_tests() || filter::wants(&entry.tuple(0), Some(entry))
}
